"""The seam between raw data and everything else: what a reader provides."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import pandas as pd


def _count_from_one(row: int) -> str:
    return f"row {row + 1}"


@dataclass(frozen=True)
class Origin:
    """Where a canonical table comes from, in the words that its owner knows.

    Attributes:
        label: file, folder or data set.
        columns: canonical name -> name in the source, for each column that the source is to provide.
        locate: tells a person where row number `n` of the source is: the index of what was read, from 0.
        available: returns the names of all columns that the source has; empty if it has just these.
    """

    label: str
    columns: Mapping[str, str]
    locate: Callable[[int], str] = field(default=_count_from_one)
    available: Callable[[], list[str]] = field(default=list)

    def column(self, name: str) -> str:
        """Return what the source calls a canonical column."""
        return self.columns.get(name, name)


class Source(Protocol):
    """A reader of raw data. Nothing is read before `items` or `interactions` is called."""

    @property
    def name(self) -> str:
        """What to call the data in messages."""
        ...

    @property
    def time_format(self) -> str:
        """How `timestamp` is written; see `parse_timestamps`."""
        ...

    @property
    def items_origin(self) -> Origin:
        """Where the items come from."""
        ...

    @property
    def interactions_origin(self) -> Origin:
        """Where the interactions come from."""
        ...

    @property
    def notices(self) -> list[str]:
        """What the reader left out on purpose, for the user to see; complete after reading."""
        ...

    def items(self, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Return all items: `item_id` and raw columns, as they stand. The index is the source's row number.

        Args:
            columns: the raw columns that are needed; those that the source lacks are left out, for the
                validation to report, and there may be others. Default: all.

        Raises:
            DataError: the table cannot be read at all.
        """
        ...

    def interactions(self) -> Iterator[pd.DataFrame]:
        """Yield events in chunks of whole sessions, a session's events side by side, values as they stand.

        Columns are session_id, item_id and, where the source has them, position, timestamp and split, and
        those that were asked for besides (`DataSettings.open`). The index is the source's row number. Can be
        called again, and yields the same events in the same order, whatever the size of the chunks. A column
        that the source lacks is left out, for the validation to report; without session_id, chunks are any
        rows.

        Raises:
            DataError: the table cannot be read at all.
        """
        ...

    def state(self) -> dict[str, Any]:
        """Return what changes when the data do: sizes and times of files, versions of packages.

        Equal for equal data, in a form that JSON keeps. Never raises: what is missing is left out, and the
        reading reports it.
        """
        ...
