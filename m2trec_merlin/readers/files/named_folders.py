"""Columns that the names of folders say, NAME=VALUE, as Hive and Spark write them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc

from m2trec_merlin.errors import shorten

#: How Hive writes that there is no value.
_NULL = "__HIVE_DEFAULT_PARTITION__"


class Part(Protocol):
    """A file of a table.

    Attributes:
        path: of the file.
        names: of its columns.
    """

    path: Path
    names: list[str]

    def type_of(self, name: str) -> pa.DataType:
        """Return the type of a column."""

    def batches(self, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield columns, a part of the rows at a time."""

    def explain_bytes(self, row: int, name: str) -> str:
        """Say what is wrong with the bytes of a value."""


class BelowNamedFolders:
    """A file with the columns of one value each that its folders say beside its own.

    Where it has a column of that name itself, its own counts.

    Args:
        part: the file.
        values: by name; None for no value.
    """

    def __init__(self, part: Part, values: dict[str, str | None]) -> None:
        self._part = part
        self._values = {name: value for name, value in values.items() if name not in part.names}
        self._twice = {name: value for name, value in values.items() if name in part.names}
        self._contradictions: dict[str, str] = {}
        self.path, self.names = part.path, [*part.names, *self._values]

    def type_of(self, name: str) -> pa.DataType:
        """See `Part.type_of`."""
        return pa.string() if name in self._values else self._part.type_of(name)

    def batches(self, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """See `Part.batches`."""
        # Of a file, the number of rows is known of a column that is read.
        own = [name for name in names if name not in self._values] or self._part.names[:1]
        for batch in self._part.batches(own):
            self._compare(batch, own)
            arrays = [
                pa.repeat(pa.scalar(self._values[n], pa.string()), len(batch))
                if n in self._values
                else batch.column(n)
                for n in names
            ]
            yield pa.RecordBatch.from_arrays(arrays, names=list(names))

    def explain_bytes(self, row: int, name: str) -> str:
        """See `Part.explain_bytes`."""
        return self._part.explain_bytes(row, name)

    def contradictions(self) -> list[str]:
        """Tell where the file, as far as it was read, says otherwise than its folders."""
        return list(self._contradictions.values())

    def _compare(self, batch: pa.RecordBatch, own: Sequence[str]) -> None:
        for name in own:
            said, column = self._twice.get(name), batch.column(name)
            if said is None or name in self._contradictions or pa.types.is_nested(column.type):
                continue
            values = (str(value) for value in pc.unique(column).to_pylist() if value is not None)
            if other := next((each for each in values if not _agree(each, said)), None):
                self._contradictions[name] = (
                    f"{self.path}: its folder says {name}={said}, and its own column '{name}', which counts, "
                    f"holds {shorten(repr(other), 40)}: leave one of them out"
                )


def _agree(value: str, said: str) -> bool:
    """Tell whether a value may well be what a folder says: 1 for 01, a day with its time of day."""
    return value.lstrip("0") == said.lstrip("0") or value.startswith(said)


def contradictions(part: Part) -> list[str]:
    """Tell where a file, as far as it was read, says otherwise than its folders."""
    return part.contradictions() if isinstance(part, BelowNamedFolders) else []


def with_columns_of(folders: Sequence[str], part: Part) -> Part:
    """Return a file with the columns that the names of its folders say."""
    named = (folder.split("=", 1) for folder in folders if "=" in folder.strip("="))
    values = {name: None if value == _NULL else unquote(value) for name, value in named}
    return BelowNamedFolders(part, values) if values else part
