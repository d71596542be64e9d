"""Items that are not in the catalogue, which a client describes for one request."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from m2trec_merlin.encoded import NO_ITEM
from m2trec_merlin.rows import RowsOfIds
from m2trec_merlin.serving.runtime.catalogue.item_table import Items, NumberColumn, TextColumn


class OutsideItems(Items):
    """Items with ids and values to filter by, but without titles.

    Args:
        items: values of each item, by id and attribute: a text, a list of texts, a number, or None. Item i in
            this mapping is row i + 1.
    """

    def __init__(self, items: Mapping[str, Mapping[str, Any]]) -> None:
        self._item_ids = list(items)
        self.rows = RowsOfIds(self._item_ids)
        self.shares = np.zeros(len(items) + 1, np.float32)
        self.live = np.arange(len(self.shares)) != NO_ITEM
        names = dict.fromkeys(name for values in items.values() for name in values)
        self._columns = {name: _column([values.get(name) for values in items.values()]) for name in names}

    def ids(self, rows: np.ndarray) -> list[str]:
        """See `Items.ids`."""
        return [self._item_ids[row - 1] for row in rows]

    def titles(self, rows: np.ndarray) -> list[str]:
        """See `Items.titles`."""
        return [""] * len(rows)

    def titled(self, titles: Sequence[str]) -> np.ndarray:
        """See `Items.titled`."""
        return np.zeros(0, np.int64)

    def match(self, name: str, wanted: Any, live: np.ndarray) -> tuple[np.ndarray, list[Any]]:
        """See `Items.match`."""
        mask = np.zeros(len(self.shares), bool)
        column = self._columns.get(name)
        if column is None:
            return mask, wanted if isinstance(wanted, list) else [wanted]
        return mask, column.passing(wanted, mask, live)

    def values(self, name: str, rows: np.ndarray) -> list[tuple[Hashable, ...]]:
        """See `Items.values`."""
        column = self._columns.get(name)
        return [()] * len(rows) if column is None else column.values(rows)


def _column(values: list[Any]) -> TextColumn | NumberColumn | None:
    """Return a filter column of the values; None if all of them are missing, as its type is unknown then."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    if isinstance(known[0], int | float):
        return NumberColumn(pa.chunked_array([pa.array(values, pa.float64())]))
    lists = [[value] if isinstance(value, str) else value for value in values]
    return TextColumn(pa.chunked_array([pa.array(lists, pa.list_(pa.string()))]))
