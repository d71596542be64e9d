"""The interface of readers of raw data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import pandas as pd


def _count_from_one(row: int) -> str:
    return f"row {row + 1}"


@dataclass(frozen=True)
class Origin:
    """The origin of a canonical table, for messages in terms that the owner of the data knows.

    Attributes:
        label: name of the file, folder or data set.
        columns: canonical name -> name in the source, for each column that the source should provide.
        locate: function that describes the place of a row in the source, given its index in what was read.
        available: function that returns the names of all columns of the source; empty if it has just these.
    """

    label: str
    columns: Mapping[str, str]
    locate: Callable[[int], str] = field(default=_count_from_one)
    available: Callable[[], list[str]] = field(default=list)

    def column(self, name: str) -> str:
        """Return the name of a canonical column in the source."""
        return self.columns.get(name, name)


class Source(Protocol):
    """A reader of raw data. Nothing is read before `items` or `interactions` is called."""

    @property
    def name(self) -> str:
        """The name of the data in messages."""
        ...

    @property
    def time_format(self) -> str:
        """The format of `timestamp`; see `parse_timestamps`."""
        ...

    @property
    def items_origin(self) -> Origin:
        """The origin of the items."""
        ...

    @property
    def interactions_origin(self) -> Origin:
        """The origin of the interactions."""
        ...

    @property
    def notices(self) -> list[str]:
        """Messages about what the reader left out on purpose; complete after reading."""
        ...

    def items(self, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Return all items: `item_id` and raw columns, unchanged, indexed by the source's row number.

        Args:
            columns: names of the raw columns needed; default: all. Columns that the source lacks are left
                out, for the validation to report. Other columns may be returned, too.

        Raises:
            DataError: the table cannot be read at all.
        """
        ...

    def interactions(self) -> Iterator[pd.DataFrame]:
        """Yield chunks of whole sessions, each session's events adjacent, with unchanged values.

        Columns are session_id, item_id, the further ones asked for (`DataSettings.open`) and, if the source
        has them, position, timestamp and split. The index is the source's row number. Each call yields the
        same events in the same order, whatever the size of the chunks. Columns that the source lacks are left
        out, for the validation to report; without session_id, chunks hold arbitrary rows.

        Raises:
            DataError: the table cannot be read at all.
        """
        ...

    def state(self) -> dict[str, Any]:
        """Return a fingerprint that changes with the data: sizes and times of files, versions of packages.

        It can be stored as JSON, and is equal for equal data. Never raises: missing files are left out, and
        reported when they are read.
        """
        ...
