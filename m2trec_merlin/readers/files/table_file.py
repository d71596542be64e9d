"""Tables in Parquet or CSV files, or in folders of them, read block by block."""

from __future__ import annotations

import os
import re
from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from m2trec_merlin.columns import is_list
from m2trec_merlin.errors import DamagedTextError, DataError, reason_of
from m2trec_merlin.missing import explain_missing
from m2trec_merlin.readers.files.compressed import begins_with, open_bytes, suffix_of
from m2trec_merlin.readers.files.delimited import DelimitedFile, faults_beside
from m2trec_merlin.readers.files.dialect import SEPARATORS, Dialect
from m2trec_merlin.readers.files.formats import other_format
from m2trec_merlin.readers.files.named_folders import Part, contradictions, with_columns_of
from m2trec_merlin.readers.files.parquet import ParquetFile
from m2trec_merlin.readers.files.raw_types import Convert, NotTextError, conversion, floats_of, plain_type
from m2trec_merlin.readers.problems import SHOWN, ProblemLog
from m2trec_merlin.readers.rounded import Rounding
from m2trec_merlin.readers.source import Origin

_PARQUET = (".parquet", ".pq")
#: Names of tables that any other text may have, too.
_OF_ANY_TEXT = (".txt", ".dat")
_ARCHIVES = (".zip", ".tar", ".tgz", ".7z", ".rar")
_PEEKED_BYTES = 1 << 10
#: Digits to which numbers in names of files are padded for sorting.
_PADDED = 30
#: Exceptions for damaged files; names of columns may be invalid UTF-8.
_UNREADABLE = (pa.ArrowException, OSError, UnicodeError)
#: Formats whose folders also hold earlier versions of rows, and a file that reveals them.
_VERSIONED = {
    "a Delta": "_delta_log",
    "an Iceberg": "metadata/*.metadata.json",
    "a Hudi": ".hoodie",
}
#: The first bytes of every Parquet file.
_MAGIC = b"PAR1"


class TableFile:
    """A table on disk. Parquet values keep their types; CSV values are text, and an empty field is null.

    Bytes are read as UTF-8, UUIDs as their usual text, categories as their values. Columns that are not asked
    for are never read, and may have any type.

    Args:
        path: path of a `.parquet`, `.csv` or `.tsv` file (CSV also with .gz, .bz2 or .zst), or of a folder of
            such files, which are read in the order of their names, part-2 before part-10. Links are followed.
            Names that begin with a dot or an underscore are skipped, as are .txt and .dat beside other names.
            A folder DAY=2024-03-01 adds a column to its files.
        dialect: dialect of CSV files.
    """

    def __init__(self, path: Path, dialect: Dialect | None = None) -> None:
        self.path = path
        self.dialect = dialect or Dialect()
        self._first_rows: list[int] = []

    @property
    def is_typed(self) -> bool:
        """Whether values have types, because all files are Parquet."""
        files = self._files()
        return bool(files) and all(suffix_of(file) in _PARQUET for file in files)

    def columns(self) -> list[str]:
        """Return the names of the columns of all files.

        Raises:
            DataError: any of the files is missing, empty or unreadable.
        """
        return list(dict.fromkeys(name for part in self._parts for name in part.names))

    def blocks(
        self,
        columns: Sequence[str] | None = None,
        single: Collection[str] = (),
        exact: Mapping[str, Rounding] | None = None,
    ) -> Iterator[pd.DataFrame]:
        """Yield the rows in order, in blocks of thousands, indexed by row number from 0.

        Args:
            columns: names of the columns to read, which must exist; default: all.
            single: names of columns that must hold single values.
            exact: how to tell lost digits in columns that need all of them. Only the type of floats in the
                file tells, so these are looked for where they get another type.

        Raises:
            DataError: see the method `columns`; a file lacks a column that another one has, or has it twice;
                a column of `single` holds lists, or any column structures or types that do not go together;
                or a file turns out to be damaged. After the last block: values of `exact` have lost digits.
        """
        names = list(columns) if columns is not None else self.columns()
        conversions = self._conversions(names, single)
        self._first_rows, row = [], 0
        rounded = ProblemLog(Origin(str(self.path), {}, self.locate))
        for part in self._parts:
            self._first_rows.append(row)
            try:
                for batch in part.batches(names):
                    block = self._block(part, batch, conversions, row)
                    for name, rounding in (exact or {}).items():
                        _log_rounded(rounded, rounding, batch.column(name), block[name])
                    row += len(block)
                    yield block
            except _UNREADABLE as error:
                raise DataError(str(self.path), [_explain_unreadable(part.path, error)]) from None
        if problems := rounded.messages():
            raise DataError(str(self.path), problems)

    def read(
        self,
        columns: Sequence[str] | None = None,
        single: Collection[str] = (),
        exact: Mapping[str, Rounding] | None = None,
    ) -> pd.DataFrame:
        """Return all rows; see `blocks`."""
        names = list(columns) if columns is not None else self.columns()
        blocks = list(self.blocks(names, single, exact))
        return pd.concat(blocks) if blocks else pd.DataFrame(columns=names)

    def held(self, column: str) -> pa.Array | None:
        """Return the first values of a column as a file holds them, also structures; None without any."""
        batches = (batch for part in self._parts for batch in part.batches([column]))
        return next((batch.column(column) for batch in batches if len(batch)), None)

    def locate(self, row: int) -> str:
        """Describe where a row is: its number within its file, from 1, without the header."""
        if len(self._first_rows) < 2:
            return f"row {row + 1}"
        part = bisect_right(self._first_rows, row) - 1
        return f"{self._parts[part].path.name} row {row - self._first_rows[part] + 1}"

    def state(self) -> list[list[Any]]:
        """Return the name (relative to the folder), size in bytes and modification time of each file."""
        folder = self.path if self.path.is_dir() else self.path.parent
        return [[str(f.relative_to(folder)), f.stat().st_size, f.stat().st_mtime_ns] for f in self._files()]

    def notices(self) -> list[str]:
        """Return messages about files of a folder that are not read, or differ from the names of folders."""
        if not self.path.is_dir():
            return []
        told = [line for part in self._parts for line in contradictions(part)]
        read = set(self._files())
        left = sorted(
            str(file.relative_to(self.path)) for file in _files_below(self.path) if file not in read
        )
        if not left:
            return told
        named = ", ".join(left[:SHOWN]) + (", ..." if len(left) > SHOWN else "")
        what = (
            "file is no .parquet, .csv or .tsv file and was"
            if len(left) == 1
            else ("files are no .parquet, .csv or .tsv files and were")
        )
        return [*told, f"{self.path}: {len(left):,} {what} not read: {named}"]

    def mixture(self) -> str:
        """Return a problem if the files of a folder share no column, and so are several tables; else ""."""
        if set.intersection(*(set(part.names) for part in self._parts)):
            return ""
        tables = {", ".join(part.names[:3]): part.path.name for part in reversed(self._parts)}
        shown = "; ".join(f"{file} has {names}" for names, file in [*tables.items()][:SHOWN])
        return (
            f"{self.path}: its files are several tables: {shown}; name one of them, or a folder of one table"
        )

    def text_files(self) -> list[Path]:
        """Return the table's files of delimited text."""
        return [file for file in self._files() if suffix_of(file) in SEPARATORS]

    def _files(self) -> list[Path]:
        if self.path.is_file():
            return [self.path]
        if not self.path.is_dir():
            return []
        return sorted(filter(Path.is_file, _tables_below(self.path)), key=_order_of)

    @cached_property
    def _parts(self) -> list[Part]:
        parts: list[Part] = []
        refused: dict[Path, Exception] = {}
        problems = [] if self._files() else [self._explain_nothing()]
        for name, sign in _VERSIONED.items():
            if any(self.path.glob(sign)):
                what = f"is {name} table, whose files hold deleted rows, too: write it as Parquet"
                raise DataError(str(self.path), [f"{self.path}: {what}"])
        for file in _tables_below(self.path) if self.path.is_dir() else ():
            if not file.exists():
                problems.append(f"{file}: is a link to {file.readlink()}, which is not there")
        for file in self._files():
            try:
                folders = file.relative_to(self.path).parts[:-1] if self.path.is_dir() else ()
                parts.append(with_columns_of(folders, self._open(file)))
            except (*_UNREADABLE, DataError) as error:
                refused[file] = error
        texts = [part.path for part in parts if suffix_of(part.path) in SEPARATORS and len(part.names) > 1]
        for file, reason in refused.items():
            if not isinstance(reason, DataError):
                problems.append(_explain_unreadable(file, reason))
            elif texts and suffix_of(file) in SEPARATORS:
                problems += faults_beside(texts[0], file, self.dialect, reason.problems)
            else:
                problems += reason.problems
        if problems:
            raise DataError(str(self.path), problems)
        return parts

    def _open(self, file: Path) -> Part:
        if file.stat().st_size == 0:
            raise OSError("the file is empty")
        if suffix_of(file) in _PARQUET:
            return ParquetFile(file)
        if suffix_of(file) in SEPARATORS:
            return DelimitedFile(file, self.dialect)
        raise DataError(str(file), [f"{file}: {_explain_name(file)}"])

    def _explain_nothing(self) -> str:
        if self.path.is_dir():
            return f"{self.path}: the folder holds no .parquet, .csv or .tsv file"
        if self.path.exists():
            return f"{self.path}: is neither a file nor a folder"
        return explain_missing(self.path)

    def _conversions(self, names: Sequence[str], single: Collection[str]) -> dict[str, Convert]:
        """Return functions that convert each column to one type, or raise all reasons against it."""
        problems, found = [], {}
        for part in self._parts:
            if absent := [name for name in names if name not in part.names]:
                other = next(p.path.name for p in self._parts if absent[0] in p.names)
                problems.append(f"{part.path}: lacks the columns {', '.join(absent)} of {other}")
            problems += [
                f"{part.path}: has {part.names.count(name)} columns called '{name}': give each its own name"
                for name in names
                if part.names.count(name) > 1
            ]
        for name in [] if problems else names:
            kinds = {part.path.name: part.type_of(name) for part in self._parts}
            try:
                convert = conversion(list(kinds.values()))
                if name in single and any(is_list(plain_type(kind)) for kind in kinds.values()):
                    raise TypeError("lists")
            except TypeError as error:
                what = "numbers, text or times" + ("" if name in single else ", or lists of these")
                problems.append(f"{self.path}, column '{name}': holds {error}; expected {what}")
                continue
            if convert is None:
                where = ", ".join(f"{kind} in {file}" for file, kind in kinds.items())
                problems.append(
                    f"{self.path}, column '{name}': types do not go together: {where}; make them alike"
                )
            else:
                found[name] = convert
        if problems:
            raise DataError(str(self.path), problems)
        return found

    def _block(
        self, part: Part, batch: pa.RecordBatch, conversions: dict[str, Convert], row: int
    ) -> pd.DataFrame:
        columns = {}
        for name, convert in conversions.items():
            try:
                columns[name] = convert(batch.column(name))
            except NotTextError as error:
                place = row - self._first_rows[-1] + error.row + 1
                problem = f"{part.path}: {part.explain_bytes(place, name)}: {error.value!r}"
                kind = DamagedTextError if suffix_of(part.path) in SEPARATORS else DataError
                raise kind(str(self.path), [problem]) from None
        return pd.DataFrame(columns).set_index(pd.RangeIndex(row, row + len(batch)))


def _log_rounded(log: ProblemLog, rounding: Rounding, held: pa.Array, read: pd.Series) -> None:
    """Log floats that have lost digits, if they are read as another type, which no longer tells."""
    floats = floats_of(held)
    if floats is not None and floats.dtype != read.dtype:
        values = floats.set_axis(read.index)
        log.add_rows(str(read.name), rounding.what, values, rounding.of(values), rounding.hint)


def _tables_below(folder: Path) -> list[Path]:
    """Return the files that are parts of a table by their names, also links that lead nowhere."""
    found = [file for file in _files_below(folder) if suffix_of(file) in (*_PARQUET, *SEPARATORS)]
    # Beside files that are certainly tables, others are notes, such as README.txt.
    return [file for file in found if suffix_of(file) not in _OF_ANY_TEXT] or found


def _files_below(folder: Path) -> Iterator[Path]:
    """Yield all files except those that are no data, such as .ipynb_checkpoints; visit each folder once.

    Raises:
        DataError: a folder cannot be read.
    """
    seen: set[Path] = set()

    def unreadable(error: OSError) -> None:
        what = f"{error.filename}: cannot be read: {reason_of(error)}: what is in it would be left out"
        raise DataError(str(folder), [what])

    # `rglob` would skip folders that are links.
    for place, folders, files in os.walk(folder, onerror=unreadable, followlinks=True):
        here = Path(place).resolve()
        folders[:] = [] if here in seen else sorted(name for name in folders if not is_ignored(name))
        yield from (Path(place, name) for name in files if here not in seen and not is_ignored(name))
        seen.add(here)


def _order_of(file: Path) -> tuple[list[str], Path]:
    """Return a sort key of files: their names, with numbers compared as numbers, padded or not."""
    padded = [re.sub("[0-9]+", lambda digits: digits[0].zfill(_PADDED), part) for part in file.parts]
    return padded, file


def is_ignored(name: str) -> bool:
    """Tell whether a file or folder of this name is skipped."""
    return name.startswith((".", "_"))


def _explain_name(file: Path) -> str:
    """Return advice for a file whose name is not that of a table."""
    if suffix_of(file) in _ARCHIVES:
        return "is an archive: unpack it first"
    with open_bytes(file) as stream:
        what = other_format(stream.read(_PEEKED_BYTES))
    name = "its name must end in .parquet, .csv or .tsv (or .csv.gz and so on)"
    return f"this is {what}" if what else f"{name}: rename it, if it is such a table"


def _explain_unreadable(file: Path, error: Exception) -> str:
    is_parquet = suffix_of(file) in _PARQUET
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    if is_parquet and file.stat().st_size and not begins_with(file, _MAGIC):
        reason = f"it begins otherwise; if it is text, its name must end in .csv or .tsv ({reason})"
    return f"{file}: cannot be read as {'Parquet' if is_parquet else 'CSV'}: {reason}"
