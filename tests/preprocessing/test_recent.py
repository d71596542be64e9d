"""What sold of late."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from m2trec_merlin.ids import IdIndex
from m2trec_merlin.preprocessing.parts import Events
from m2trec_merlin.preprocessing.recent import RECENT, count_recent

ITEMS = IdIndex(pd.Series([1, 2, 3]))
#: Forty events, of which the last tenth is recent: four.
IDS = np.array([1, 2] * 18 + [3, 3, 1, 9])


def write(folder: Path, ids: np.ndarray, times: np.ndarray | None = None) -> list[Path]:
    """Write events into two parts, in the order given."""
    parts = []
    for number, part in enumerate(np.array_split(np.arange(len(ids)), 2)):
        frame = pd.DataFrame({"session_id": part // 4, "item_id": ids[part], "position": part % 4})
        if times is not None:
            frame["timestamp"] = times[part]
        parts.append(folder / f"part-{number:05d}.parquet")
        frame.to_parquet(parts[-1])
    return parts


def moments(minutes: np.ndarray) -> np.ndarray:
    return np.datetime64("2026-01-01", "us") + minutes.astype("timedelta64[m]")


@pytest.mark.parametrize("seed", [0, 1])
def test_the_last_events_by_time_are_counted_in_whatever_order_they_stand(tmp_path: Path, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(IDS))
    parts = write(tmp_path, IDS[order], moments(np.arange(len(IDS)))[order])
    assert RECENT == 0.1
    assert count_recent(Events(parts), ITEMS, in_order=False).tolist() == [1, 0, 2]


def test_events_of_the_same_moment_are_all_recent(tmp_path: Path) -> None:
    parts = write(tmp_path, IDS, moments(np.minimum(np.arange(len(IDS)), 34)))
    assert count_recent(Events(parts), ITEMS, in_order=False).tolist() == [2, 1, 2]


def test_without_times_the_order_of_the_source_counts_if_it_is_one_of_time(tmp_path: Path) -> None:
    parts = write(tmp_path, IDS)
    assert count_recent(Events(parts), ITEMS, in_order=True).tolist() == [1, 0, 2]
    assert count_recent(Events(parts), ITEMS, in_order=False) is None


@pytest.mark.parametrize("timed", [True, False])
def test_events_that_are_cut_are_none_of_the_last(tmp_path: Path, timed: bool) -> None:
    """Of ten sessions of four events, twenty events are left: the last two of them are 1 and a stranger."""
    parts = write(tmp_path, IDS, moments(np.arange(len(IDS))) if timed else None)
    assert count_recent(Events(parts, longest=2), ITEMS, in_order=not timed).tolist() == [1, 0, 0]
