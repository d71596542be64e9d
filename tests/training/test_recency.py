"""Late sessions are drawn more often: which are late, and how often each comes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from m2trec_merlin.errors import ArtifactError
from m2trec_merlin.training.recency import draw, recent_more_often

#: Sessions of each part with the minutes of their events. By their last events: d, b, a, c.
MINUTES: list[dict[Any, list[int]]] = [{"a": [7, 0, 1], "b": [2, 3]}, {"c": [8, 9], "d": [0, 2]}]
#: The same with numbers as ids, which are no categories.
NUMBERED: list[dict[Any, list[int]]] = [{40: [1, 2, 9], 1: [2, 3]}, {3: [8, 10], 20: [0, 2]}]


def write(folder: Path, minutes: list[dict[Any, list[int]]], timed: bool = True) -> tuple[list[Path], ...]:
    """Write files of sessions, and the parts that they are made of."""
    written: tuple[list[Path], list[Path]] = ([], [])
    for number, sessions in enumerate(minutes):
        ids = [name for name, times in sessions.items() for _ in times]
        times = np.array([m for ms in sessions.values() for m in ms]).astype("datetime64[m]")
        parts = pa.table({"session_id": ids, "item_id": ids})
        if timed:
            parts = parts.append_column("timestamp", pa.array(times.astype("datetime64[us]")))
        files = pa.table({"session_id": list(sessions), "row": [[1, 2]] * len(sessions)})
        for kind, table, paths in zip(("sessions", "parts"), (files, parts), written, strict=True):
            path = folder / kind / f"part-{number}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(table, path)
            paths.append(path)
    return written


@pytest.mark.parametrize("minutes", [MINUTES, NUMBERED], ids=["texts", "numbers"])
def test_the_last_event_of_a_session_says_how_late_it_is(
    tmp_path: Path, minutes: list[dict[Any, list[int]]]
) -> None:
    weights = recent_more_often(*write(tmp_path, minutes), recency=2.0, in_order=False)
    assert list(weights) == ["part-0.parquet", "part-1.parquet"]
    np.testing.assert_allclose(list(weights.values()), np.exp(2 * np.array([[2, 1], [3, 0]]) / 4))


def test_without_times_the_order_counts_where_a_column_names_the_splits(tmp_path: Path) -> None:
    weights = recent_more_often(*write(tmp_path, MINUTES, timed=False), recency=1.0, in_order=True)
    np.testing.assert_allclose(list(weights.values()), np.exp([[0, 0.25], [0.5, 0.75]]))


def test_sessions_in_no_known_order_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"training.recency: 1 .* events have no times"):
        recent_more_often(*write(tmp_path, MINUTES, timed=False), recency=1.0, in_order=False)


@given(weights=st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=40), seed=st.integers(0, 99))
def test_each_session_comes_as_often_as_its_weight_expects(weights: list[float], seed: int) -> None:
    given = np.array(weights)
    drawn = draw(given, np.random.default_rng(seed))
    expected = len(given) * given / given.sum()
    assert len(drawn) == len(given)
    assert (np.abs(np.bincount(drawn, minlength=len(given)) - expected) < 1 + 1e-6).all()


def test_of_equal_weights_each_session_comes_once_in_random_order() -> None:
    drawn = draw(np.ones(50), np.random.default_rng(0))
    assert sorted(drawn) == list(range(50)) != list(drawn)
