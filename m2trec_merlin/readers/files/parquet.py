"""Read Parquet files, whose columns have types."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq

_BLOCK_ROWS = 1 << 16
#: The unit of times in INT96, as Spark, Hive and Impala write them. Arrow's default, nanoseconds in 64 bits,
#: holds only the years 1678 to 2261: 9999-12-31 would become a day of 1816.
_INT96_UNIT = "us"


class ParquetFile:
    """A Parquet file. UUIDs, stored as 16 bytes, are read as their usual text.

    An index that pandas wrote is a column, also one of evenly spaced numbers, which the footer alone holds.

    Args:
        path: path of the file.

    Raises:
        pa.ArrowException: the file is damaged, or not Parquet.

    Attributes:
        names: names of the columns.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._open() as parquet:
            described, self._schema = parquet.schema, parquet.schema_arrow
            self._ranges = _ranges_of(self._schema, parquet.metadata.num_rows)
        self._uuids = _uuids_of(described) | {field.name for field in self._schema if _is_uuid(field.type)}
        self.names = [*self._schema.names, *self._ranges]

    def type_of(self, name: str) -> pa.DataType:
        """Return the type of a column."""
        if name in self._ranges:
            return pa.int64()
        return pa.string() if name in self._uuids else self._schema.field(name).type

    def batches(self, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield the rows in order."""
        own, row = [name for name in names if name not in self._ranges], 0
        with self._open() as parquet:
            for batch in parquet.iter_batches(_BLOCK_ROWS, columns=own):
                arrays = [self._array(batch, name, row) for name in names]
                yield pa.RecordBatch.from_arrays(arrays, names=list(names))
                row += len(batch)

    def explain_bytes(self, row: int, name: str) -> str:
        """Return advice for a value that is not UTF-8."""
        return f"column '{name}' holds bytes that are not UTF-8 text in row {row}; write the column as text"

    def _array(self, batch: pa.RecordBatch, name: str, row: int) -> pa.Array:
        if name in self._ranges:
            return pa.array(self._ranges[name][row : row + len(batch)], pa.int64())
        return _text_of(batch.column(name)) if name in self._uuids else batch.column(name)

    def _open(self) -> pq.ParquetFile:
        # As in `open_bytes`.
        return pq.ParquetFile(self.path.absolute(), coerce_int96_timestamp_unit=_INT96_UNIT)


def _ranges_of(schema: pa.Schema, rows: int) -> dict[str, range]:
    """Return the named indices that pandas describes instead of storing them.

    Raises:
        pa.ArrowException: the description is damaged.
    """
    try:
        indices = (schema.pandas_metadata or {}).get("index_columns", [])
        described = [each for each in indices if isinstance(each, dict) and each["kind"] == "range"]
        ranges = {each["name"]: range(each["start"], each["stop"], each["step"]) for each in described}
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise pa.ArrowInvalid(f"what pandas says of the index is damaged: {error!r}") from None
    # Arrow copies the description to parts of a table, which have other rows.
    return {n: r for n, r in ranges.items() if n is not None and n not in schema.names and len(r) == rows}


def _uuids_of(described: pq.ParquetSchema) -> set[str]:
    columns = map(described.column, range(len(described)))
    return {column.path for column in columns if column.logical_type.type == "UUID"}


def _is_uuid(kind: pa.DataType) -> bool:
    return isinstance(kind, pa.BaseExtensionType) and kind.extension_name == "arrow.uuid"


def _text_of(uuids: pa.Array) -> pa.Array:
    held = uuids.storage if isinstance(uuids, pa.ExtensionArray) else uuids
    distinct = held.dictionary_encode()
    texts = pa.array([str(UUID(bytes=each)) for each in distinct.dictionary.to_pylist()], pa.string())
    return texts.take(distinct.indices)
