"""Items that a client describes for one request, which no catalogue has."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from m2trec_merlin.rows import RowsOfIds
from m2trec_merlin.serving.runtime.catalogue.item_table import Items


class OutsideItems(Items):
    """Items of which nothing but the ids is known here: no title, and no value that a filter asks for.

    Args:
        item_ids: number i is row i + 1.
    """

    def __init__(self, item_ids: Sequence[str]) -> None:
        self._item_ids = item_ids
        self.rows = RowsOfIds(item_ids)
        self.shares = np.zeros(len(item_ids) + 1, np.float32)

    def ids(self, rows: np.ndarray) -> list[str]:
        """See `Items.ids`."""
        return [self._item_ids[row - 1] for row in rows]

    def titles(self, rows: np.ndarray) -> list[str]:
        """See `Items.titles`."""
        return [""] * len(rows)

    def match(self, name: str, wanted: Any) -> tuple[np.ndarray, list[Any]]:
        """See `Items.match`."""
        return np.zeros(len(self.shares), bool), wanted if isinstance(wanted, list) else [wanted]

    def values(self, name: str, rows: np.ndarray) -> list[tuple[Hashable, ...]]:
        """See `Items.values`."""
        return [()] * len(rows)
