"""Sessions whose events are sorted by item, which is hardly the order in which they happened.

Shape legend: N items.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from m2trec_merlin.column_names import ITEM_ID, POSITION, TIMESTAMP
from m2trec_merlin.readers.canonical import KnownItems
from m2trec_merlin.shares import percent

#: Neighbouring events in question, and the share of them that rise, or fall, from which on this is no chance.
_ENOUGH, _SORTED = 200, 0.95
#: Number of pairs of events after which no more are counted.
_PLENTY = 200_000


class ItemOrder:
    """Counts how often an item is followed by one that sorts after it, chunk by chunk.

    Events at different times are not counted, as their order is known.

    Args:
        items: the canonical items table, or some of its columns.
        known: the ids of these items.
    """

    def __init__(self, items: pd.DataFrame, known: KnownItems) -> None:
        self._known = known
        self._ranks = {name: ranks for name in items if (ranks := _ranks(items[name])) is not None}
        self._counts = {name: np.zeros(2, np.int64) for name in self._ranks}
        self._pairs = 0

    def add(self, events: pd.DataFrame) -> None:
        """Count the events of whole sessions, in canonical form and order."""
        if self._pairs >= _PLENTY:
            return
        items = self._known.positions(events[ITEM_ID])
        pairs = events[POSITION].to_numpy()[1:] > 0
        if TIMESTAMP in events:
            times = events[TIMESTAMP].to_numpy()
            pairs &= times[1:] == times[:-1]
        before, after = items[:-1][pairs], items[1:][pairs]
        self._pairs += len(before)
        for name, ranks in self._ranks.items():
            steps = ranks[after] - ranks[before]
            is_known = (ranks[after] >= 0) & (ranks[before] >= 0)
            self._counts[name] += np.array([(steps > 0)[is_known].sum(), (steps < 0)[is_known].sum()])

    def sorted_by(self, column: str) -> str | None:
        """Return by which column the items of sessions are sorted, and how; None if they are not.

        Args:
            column: the name of the column of items in the interactions.
        """
        shares = {
            name: float(counts.max() / counts.sum())
            for name, counts in self._counts.items()
            if counts.sum() >= _ENOUGH
        }
        if not shares or max(shares.values()) < _SORTED:
            return None
        name = max(shares, key=lambda each: shares[each])
        return (
            f"sessions are sorted by '{column if name == ITEM_ID else name}': where no time tells events "
            f"apart, {percent(shares[name])} of changes go "
            f"{'up' if np.argmax(self._counts[name]) == 0 else 'down'}"
        )

    def notices(self, column: str) -> list[str]:
        """Return a warning if sessions are sorted by their items; see `sorted_by`."""
        if (found := self.sorted_by(column)) is None:
            return []
        return [
            f"{found}. A model learns that, and results look better than they are. If the table was written "
            "so, set data.options.shuffle: true, and name a column in data.columns.order only if it holds "
            "times"
        ]


def _ranks(values: pd.Series) -> np.ndarray | None:
    """Return the place of each value in rising order, int32 [N], -1 if missing; None for lists."""
    if values.dtype == object and pd.api.types.infer_dtype(values, skipna=True) != "string":
        return None
    codes, _ = pd.factorize(values, sort=True)
    return codes.astype(np.int32)
