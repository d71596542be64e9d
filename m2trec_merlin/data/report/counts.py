"""What is counted of the interactions while they go by, chunk by chunk.

Nothing here grows with the number of sessions: there are counters an item, a length and an hour.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from m2trec_merlin.column_names import ITEM_ID, POSITION, TARGET, TIMESTAMP
from m2trec_merlin.readers.canonical import KnownItems


class SplitCounts:
    """Counts the events of one split.

    Args:
        items: the known items.
        last_only: a session's last event alone is predicted.

    Attributes:
        last_only: see above.
        events: int64 [items], events of each item, in the order of the known items.
        targets: int64 [items], those of them that are predicted: that follow another event of their session,
            or end it, and may be targets.
        lengths: int64 [longest + 1], sessions by their number of events.
        hours: int64 [hours], sessions by the hour of their first event: the index, in hours since 1970; empty
            without times.
        first: time of the earliest event, or NaT.
        last: time of the latest event, or NaT.
        repeats: events whose item occurred earlier in their session.
        repeats_at_once: events of the same item as the event just before.
        repeating_sessions: sessions with repeats.
    """

    def __init__(self, items: KnownItems, *, last_only: bool = False) -> None:
        self._items = items
        self.last_only = last_only
        self.events, self.targets = (np.zeros(len(items), dtype=np.int64) for _ in range(2))
        self.lengths = np.zeros(1, dtype=np.int64)
        self.hours = pd.Series([], pd.Index([], dtype=np.int64), dtype=np.int64)
        self.first = self.last = np.datetime64("NaT", "us")
        self.repeats = self.repeats_at_once = self.repeating_sessions = 0

    @property
    def sessions(self) -> int:
        """How many there are."""
        return int(self.lengths.sum())

    @property
    def total(self) -> int:
        """How many events there are."""
        return int(self.events.sum())

    def add(self, events: pd.DataFrame) -> None:
        """Count whole sessions of canonical events, of which there is at least one."""
        starts = events[POSITION].to_numpy() == 0
        session = np.cumsum(starts) - 1
        lengths = np.bincount(session)
        items = self._items.positions(events[ITEM_ID])
        np.add.at(self.events, items, 1)
        predicted = np.append(starts[1:], True) if self.last_only else ~starts
        if TARGET in events:
            predicted &= events[TARGET].to_numpy(bool)
        np.add.at(self.targets, items[predicted], 1)
        self.lengths = _sum(self.lengths, np.bincount(lengths))
        # One number stands for session and item.
        distinct = pd.unique(session * len(self._items) + items)
        self.repeats += len(events) - len(distinct)
        kinds = np.bincount(distinct // len(self._items), minlength=len(lengths))
        self.repeating_sessions += int((kinds < lengths).sum())
        self.repeats_at_once += int(((items[1:] == items[:-1]) & ~starts[1:]).sum())
        if TIMESTAMP in events:
            self._add_times(events[TIMESTAMP].to_numpy().astype("datetime64[us]"), starts)

    def _add_times(self, times: np.ndarray, starts: np.ndarray) -> None:
        self.first, self.last = np.fmin(self.first, times.min()), np.fmax(self.last, times.max())
        hours = pd.Series(times[starts].astype("datetime64[h]").astype(np.int64)).value_counts()
        self.hours = self.hours.add(hours, fill_value=0).astype(np.int64)


def _sum(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    total = np.zeros(max(len(a), len(b)), dtype=np.int64)
    total[: len(a)] += a
    total[: len(b)] += b
    return total
