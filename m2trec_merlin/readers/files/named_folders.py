"""Columns from names of folders, NAME=VALUE, as Hive and Spark write them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc

from m2trec_merlin.errors import shorten

#: Hive's text for a missing value.
_NULL = "__HIVE_DEFAULT_PARTITION__"


class Part(Protocol):
    """A file of a table.

    Attributes:
        path: path of the file.
        names: names of its columns.
    """

    path: Path
    names: list[str]

    def type_of(self, name: str) -> pa.DataType:
        """Return the type of a column."""

    def batches(self, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield the columns in batches of rows."""

    def explain_bytes(self, row: int, name: str) -> str:
        """Explain what is wrong with the bytes of a value."""


class BelowNamedFolders:
    """A file with additional constant columns from the names of its folders.

    If the file itself has a column of that name, that column counts.

    Args:
        part: the file.
        values: values of the columns by name; None for missing.
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
        # At least one column is read, because it tells the number of rows.
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
        """Return messages about columns, as far as read, that differ from the names of folders."""
        return list(self._contradictions.values())

    def _compare(self, batch: pa.RecordBatch, own: Sequence[str]) -> None:
        for name in own:
            said, column = self._twice.get(name), batch.column(name)
            if said is None or name in self._contradictions or pa.types.is_nested(column.type):
                continue
            values = map(_text, pc.unique(column).to_pylist())
            if other := next((each for each in values if each and not _agree(each, said)), None):
                self._contradictions[name] = (
                    f"{self.path}: its folder says {name}={said}, and its own column '{name}', which counts, "
                    f"holds {shorten(repr(other), 40)}: leave one of them out"
                )


def _text(value: object) -> str:
    """Return a value as text; "" if it is missing. What CSV files hold is bytes up to here."""
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return "" if value is None else str(value)


def _agree(value: str, said: str) -> bool:
    """Tell whether a value may be equal to that of a folder: 1 and 01, or a day with a time and the day."""
    return value.lstrip("0") == said.lstrip("0") or value.startswith(said)


def contradictions(part: Part) -> list[str]:
    """Return messages about columns of a file, as far as read, that differ from the names of its folders."""
    return part.contradictions() if isinstance(part, BelowNamedFolders) else []


def with_columns_of(folders: Sequence[str], part: Part) -> Part:
    """Add columns from the names of folders to a file."""
    named = (folder.split("=", 1) for folder in folders if "=" in folder.strip("="))
    values = {name: None if value == _NULL else unquote(value) for name, value in named}
    return BelowNamedFolders(part, values) if values else part
