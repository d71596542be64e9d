"""Count interactions chunk by chunk.

Memory does not grow with the number of sessions: there is a counter per item, per length and per hour.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from m2trec_merlin.column_names import ITEM_ID, POSITION, TARGET, TIMESTAMP
from m2trec_merlin.readers.canonical import KnownItems


class SplitCounts:
    """Counters of the events of one split.

    Args:
        items: the known items.
        last_only: whether only a session's last event is predicted.

    Attributes:
        last_only: whether only a session's last event is predicted.
        events: number of events of each item, in the order of the known items, int64 [items].
        targets: number of predicted events of each item, int64 [items]: those that may be targets, and follow
            another event of their session, or with `last_only` end it.
        lengths: number of sessions by their number of events, int64 [longest + 1].
        hours: number of sessions by the hour of their first event, int64 [hours]; the index is in hours since
            1970. Empty without times.
        first: time of the earliest event, or NaT.
        last: time of the latest event, or NaT.
        repeats: number of events whose item occurred earlier in their session.
        repeats_at_once: number of events with the same item as the previous event.
        repeating_sessions: number of sessions with repeats.
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
        """The number of sessions."""
        return int(self.lengths.sum())

    @property
    def total(self) -> int:
        """The number of events."""
        return int(self.events.sum())

    def add(self, events: pd.DataFrame) -> None:
        """Count a non-empty chunk of canonical events of whole sessions."""
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
        # A number for each pair of session and item.
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
