"""A catalogue for one request, with items behind its own that the client described."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, TypeVar

import numpy as np

from m2trec_merlin.serving.runtime.item_table import Items

T = TypeVar("T")


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
        return self._each(rows, self._before.ids, lambda number: self._item_ids[number])

    def titles(self, rows: np.ndarray) -> list[str]:
        """See `Items.titles`."""
        return self._each(rows, self._before.titles, lambda _: "")

    def match(self, name: str, wanted: Any) -> tuple[np.ndarray, list[Any]]:
        """See `Items.match`."""
        mask, unknown = self._before.match(name, wanted)
        return np.concatenate([mask, np.zeros(len(self._item_ids), bool)]), unknown

    def values(self, name: str, rows: np.ndarray) -> list[tuple[Hashable, ...]]:
        """See `Items.values`."""
        nothing: tuple[Hashable, ...] = ()
        return self._each(rows, lambda own: self._before.values(name, own), lambda _: nothing)

    def _each(
        self, rows: np.ndarray, ask: Callable[[np.ndarray], list[T]], other: Callable[[int], T]
    ) -> list[T]:
        found = iter(ask(rows[rows < self._first]))
        return [next(found) if row < self._first else other(row - self._first) for row in rows.tolist()]
