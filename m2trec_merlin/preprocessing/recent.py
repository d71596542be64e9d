"""How often items occur among the last events of training: seasons and offers change what sells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from m2trec_merlin.data.order_statistics import NumbersOnDisk
from m2trec_merlin.ids import IdIndex
from m2trec_merlin.preprocessing.parts import read_part
from m2trec_merlin.readers.canonical import ITEM_ID, TIMESTAMP

#: Share of the training events that is recent. Chosen on validation (docs/quality-log.md).
RECENT = 0.1


def count_recent(parts: Sequence[Path], items: IdIndex, in_order: bool) -> np.ndarray | None:
    """Return how many of the last events are of each item, int64 [items]; None where time is not known.

    Events of the moment at which the last ones begin are all among them.

    Args:
        parts: files of training events, in the order of the source.
        items: to count.
        in_order: whether events without a timestamp are in order of time.
    """
    timed = all(TIMESTAMP in pq.read_schema(part).names for part in parts)
    if not timed and not in_order:
        return None
    numbers = NumbersOnDisk()
    for _, times in _read(parts, timed):
        numbers.add(times)
    since = numbers.nth(int((1 - RECENT) * len(numbers))) if len(numbers) else 0
    counts = np.zeros(len(items), np.int64)
    for ids, times in _read(parts, timed):
        positions = items.find(ids[times >= since])
        # The first bin takes events of other items.
        counts += np.bincount(positions + 1, minlength=len(items) + 1)[1:]
    return counts


def _read(parts: Sequence[Path], timed: bool) -> Iterator[tuple[pd.Series, np.ndarray]]:
    """Yield the items of each part and their times, int64: microseconds, or numbers in order."""
    before = 0
    for part in parts:
        events = read_part(part, [ITEM_ID, *([TIMESTAMP] if timed else [])])
        if timed:
            yield events[ITEM_ID], events[TIMESTAMP].to_numpy().astype("datetime64[us]").astype(np.int64)
        else:
            yield events[ITEM_ID], np.arange(before, before + len(events))
        before += len(events)
