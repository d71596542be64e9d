"""A catalogue for one request, with items behind its own that the client described."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from m2trec_merlin.serving.runtime.item_table import Items, of_two


class WithOutside(Items):
    """Items, and behind them others of which nothing but the ids is known here.

    Args:
        before: the catalogue's, with R rows.
        item_ids: of the others, which the catalogue does not have; number i is row R + i.
    """

    def __init__(self, before: Items, item_ids: Sequence[str]) -> None:
        self._before, self._item_ids = before, item_ids
        self._first = len(before.shares)
        self.rows = before.rows.changed((), self._first, item_ids)
        self.shares = np.concatenate([before.shares, np.zeros(len(item_ids), np.float32)])

    def ids(self, rows: np.ndarray) -> list[str]:
        """See `Items.ids`."""
        return of_two(rows, self._first, self._before.ids, lambda own: [self._item_ids[n] for n in own])

    def titles(self, rows: np.ndarray) -> list[str]:
        """See `Items.titles`."""
        return of_two(rows, self._first, self._before.titles, lambda own: [""] * len(own))

    def match(self, name: str, wanted: Any) -> tuple[np.ndarray, list[Any]]:
        """See `Items.match`."""
        mask, unknown = self._before.match(name, wanted)
        return np.concatenate([mask, np.zeros(len(self._item_ids), bool)]), unknown

    def values(self, name: str, rows: np.ndarray) -> list[tuple[Hashable, ...]]:
        """See `Items.values`."""
        nothing: tuple[Hashable, ...] = ()
        return of_two(
            rows,
            self._first,
            lambda own: self._before.values(name, own),
            lambda own: [nothing] * len(own),
        )
