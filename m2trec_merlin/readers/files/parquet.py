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
        self._uuids = _uuids_of(described) | {field.name for field in self._schema if _is_uuid(field.type)}
        self.names = list(self._schema.names)

    def type_of(self, name: str) -> pa.DataType:
        """Return the type of a column."""
        return pa.string() if name in self._uuids else self._schema.field(name).type

    def batches(self, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield the rows in order."""
        with self._open() as parquet:
            for batch in parquet.iter_batches(_BLOCK_ROWS, columns=list(names)):
                arrays = [_text_of(batch.column(n)) if n in self._uuids else batch.column(n) for n in names]
                yield pa.RecordBatch.from_arrays(arrays, names=list(names))

    def explain_bytes(self, row: int, name: str) -> str:
        """Return advice for a value that is not UTF-8."""
        return f"column '{name}' holds bytes that are not UTF-8 text in row {row}; write the column as text"

    def _open(self) -> pq.ParquetFile:
        return pq.ParquetFile(self.path, coerce_int96_timestamp_unit=_INT96_UNIT)


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
