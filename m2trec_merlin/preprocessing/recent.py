"""Count how often items occur among the last training events: seasons and offers change what sells."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd

from m2trec_merlin.column_names import ITEM_ID, TIMESTAMP
from m2trec_merlin.data.order_statistics import NumbersOnDisk
from m2trec_merlin.ids import IdIndex
from m2trec_merlin.preprocessing.parts import Events, count_ids, tell_times

#: Share of the training events that is recent. Chosen on validation (docs/quality-log.md).
RECENT = 0.1


def count_recent(events: Events, items: IdIndex, in_order: bool) -> np.ndarray | None:
    """Return how many of the last events each item has, int64 [items]; None if the order is not known.

    If several events share the time at which the last ones begin, all of them count.

    Args:
        events: the events of training, or all events that are known when serving.
        items: index of the items to count.
        in_order: whether events without a timestamp are in order of time.
    """
    if tell_times([*events.parts, *events.go_on]):
        order = TIMESTAMP
    elif in_order:
        order = ITEM_ID
    else:
        return None
    with NumbersOnDisk() as all_moments:
        for _, moments in _with_moments(events.read([order])):
            all_moments.add(moments)
        since = all_moments.nth(int((1 - RECENT) * len(all_moments))) if len(all_moments) else 0
    counts = np.zeros(len(items), np.int64)
    for part, moments in _with_moments(events.read([ITEM_ID, order])):
        counts += count_ids(part[ITEM_ID][moments >= since], items)
    return counts


def event_times(events: Events) -> Iterator[np.ndarray]:
    """Yield the times of the events of each part in microseconds, int64."""
    for _, times in _with_moments(events.read([TIMESTAMP])):
        yield times


def _with_moments(parts: Iterable[pd.DataFrame]) -> Iterator[tuple[pd.DataFrame, np.ndarray]]:
    """Yield each part with the times of its events, or else their numbers in the source's order, int64."""
    before = 0
    for part in parts:
        if TIMESTAMP in part:
            yield part, part[TIMESTAMP].to_numpy().astype("datetime64[us]").astype(np.int64)
        else:
            yield part, np.arange(before, before + len(part))
        before += len(part)
