"""Tables in Parquet or CSV files, or in folders of them, read block by block."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from m2trec_merlin.errors import DataError

_PARQUET = (".parquet", ".pq")
_CSV = {".csv": ",", ".txt": ",", ".tsv": "\t"}
_COMPRESSED = (".gz", ".bz2", ".zst")
_BLOCK_ROWS = 1 << 16
_BLOCK_BYTES = 1 << 22

# Whole numbers with gaps must not become floats: an id above 2^53 would change.
_TYPES = {
    t: pd.Int64Dtype()
    for t in (pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32())
}


class TableFile:
    """A table on disk. Parquet values keep their types; CSV values are text, and an empty field is null.

    Args:
        path: a `.parquet`, `.csv` or `.tsv` file (CSV also with .gz, .bz2 or .zst), or a folder of such
            files, which are read in the order of their names.
        separator: between CSV fields; by default a comma, or a tab in `.tsv`.
    """

    def __init__(self, path: Path, separator: str | None = None) -> None:
        self.path = path
        self._separator = separator
        self._first_rows: list[int] = []
        self._names: list[str] = []

    @property
    def is_typed(self) -> bool:
        """Whether values carry types: Parquet, not CSV."""
        files = self._files()
        return bool(files) and _suffix(files[0]) in _PARQUET

    def columns(self) -> list[str]:
        """Return the names of the columns.

        Raises:
            DataError: any of the files is missing, empty or unreadable, or lacks columns that the first has.
        """
        files, problems, first = self._files(), [], None
        if not files:
            raise DataError(str(self.path), [self._explain_nothing()])
        for file in files:
            try:
                names = self._header(file)
            except (pa.ArrowInvalid, OSError, UnicodeDecodeError) as error:
                problems.append(_explain_unreadable(file, error))
                continue
            first = first or names
            if absent := [name for name in first if name not in names]:
                problems.append(f"{file}: lacks the columns {', '.join(absent)} of {files[0].name}")
        if problems or first is None:
            raise DataError(str(self.path), problems)
        return first

    def blocks(self, columns: Sequence[str] | None = None) -> Iterator[pd.DataFrame]:
        """Yield the rows in order, some thousands at a time; the index is the row number, from 0.

        Args:
            columns: the ones to read, which must exist; default: all.

        Raises:
            DataError: as `columns`, or a file turns out to be damaged further down.
        """
        names = list(columns) if columns is not None else self.columns()
        self._first_rows, self._names, row = [], [], 0
        for file in self._files():
            self._first_rows.append(row)
            self._names.append(file.name)
            try:
                for batch in self._batches(file, names):
                    block = batch.to_pandas(types_mapper=_TYPES.get)
                    block.index = pd.RangeIndex(row, row + len(block))
                    row += len(block)
                    yield block[names]
            except (pa.ArrowInvalid, OSError) as error:
                raise DataError(str(self.path), [_explain_unreadable(file, error)]) from None

    def read(self, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Return all rows; see `blocks`."""
        names = list(columns) if columns is not None else self.columns()
        blocks = list(self.blocks(names))
        return pd.concat(blocks) if blocks else pd.DataFrame(columns=names)

    def locate(self, row: int) -> str:
        """Tell a person where a row is: counted from 1, without the header, within its file."""
        if len(self._names) < 2:
            return f"row {row + 1}"
        part = bisect_right(self._first_rows, row) - 1
        return f"{self._names[part]} row {row - self._first_rows[part] + 1}"

    def state(self) -> list[list[Any]]:
        """Return name (in a folder, from there), size in bytes and time of change of each file."""
        folder = self.path if self.path.is_dir() else self.path.parent
        return [[str(f.relative_to(folder)), f.stat().st_size, f.stat().st_mtime_ns] for f in self._files()]

    def _files(self) -> list[Path]:
        if self.path.is_file():
            return [self.path]
        if not self.path.is_dir():
            return []
        return sorted(f for f in self.path.rglob("*") if f.is_file() and _is_table(f))

    def _explain_nothing(self) -> str:
        if self.path.is_dir():
            return f"{self.path}: the folder holds no .parquet, .csv or .tsv file"
        if self.path.exists():
            return f"{self.path}: is neither a file nor a folder"
        return f"{self.path}: no such file or folder"

    def _header(self, file: Path) -> list[str]:
        if file.stat().st_size == 0:
            raise OSError("the file is empty")
        if _suffix(file) in _PARQUET:
            return list(pq.read_schema(file).names)
        if _suffix(file) not in _CSV:
            raise OSError("expected a name that ends in .parquet, .csv or .tsv (or .csv.gz and so on)")
        with pa_csv.open_csv(file, parse_options=self._parse_options(file)) as reader:
            return list(reader.schema.names)

    def _batches(self, file: Path, names: list[str]) -> Iterator[pa.RecordBatch]:
        if _suffix(file) in _PARQUET:
            with pq.ParquetFile(file) as parquet:
                yield from parquet.iter_batches(_BLOCK_ROWS, columns=names)
            return
        options = pa_csv.ConvertOptions(
            column_types={name: pa.string() for name in names},
            include_columns=names,
            strings_can_be_null=True,
            null_values=[""],
        )
        reading = pa_csv.ReadOptions(block_size=_BLOCK_BYTES)
        with pa_csv.open_csv(file, reading, self._parse_options(file), options) as reader:
            yield from reader

    def _parse_options(self, file: Path) -> pa_csv.ParseOptions:
        return pa_csv.ParseOptions(
            delimiter=self._separator or _CSV.get(_suffix(file), ","), newlines_in_values=True
        )


def _suffix(file: Path) -> str:
    suffixes = [s.lower() for s in file.suffixes]
    if suffixes and suffixes[-1] in _COMPRESSED:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


def _is_table(file: Path) -> bool:
    return not file.name.startswith((".", "_")) and (_suffix(file) in _PARQUET or _suffix(file) in _CSV)


def _explain_unreadable(file: Path, error: Exception) -> str:
    kind = "Parquet" if _suffix(file) in _PARQUET else "CSV"
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return f"{file}: cannot be read as {kind}: {reason}"
