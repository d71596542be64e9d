"""Events in a random order within their sessions."""

from __future__ import annotations

import numpy as np
import pandas as pd

from m2trec_merlin.readers.shuffling import shuffle_sessions
from tests.worlds.tables import MakeConfig

SESSIONS = pd.DataFrame({"session_id": np.repeat(np.arange(300), 4), "item_id": np.tile([1, 2, 3, 4], 300)})


def test_sessions_keep_their_events_and_their_order() -> None:
    shuffled = shuffle_sessions(SESSIONS, seed=0)
    assert (shuffled["session_id"].to_numpy() == SESSIONS["session_id"].to_numpy()).all()
    pd.testing.assert_frame_equal(shuffled.sort_index(), SESSIONS)


def test_every_order_of_a_session_is_about_as_likely() -> None:
    orders = shuffle_sessions(SESSIONS, seed=0)["item_id"].to_numpy().reshape(-1, 4)
    counts = pd.Series(map(tuple, orders)).value_counts()
    # 24 of them, 12.5 times each on average.
    assert len(counts) == 24 and counts.between(3, 30).all()
    other = shuffle_sessions(SESSIONS, seed=1)["item_id"].to_numpy().reshape(-1, 4)
    assert 0.01 < (orders == other).all(axis=1).mean() < 0.1


def test_a_place_does_not_depend_on_the_chunk() -> None:
    whole = shuffle_sessions(SESSIONS, seed=3)
    parts = [shuffle_sessions(SESSIONS.iloc[start : start + 400], seed=3) for start in range(0, 1200, 400)]
    pd.testing.assert_frame_equal(pd.concat(parts), whole)


def test_tables_are_shuffled_but_for_what_a_column_orders(make_config: MakeConfig) -> None:
    items = pd.DataFrame({"item_id": [1, 2, 3, 4], "name": ["tea", "mug", "pot", "jug"]})
    events = SESSIONS.assign(day=np.tile(["2026-01-01", "2026-01-01", "2026-01-02", "2026-01-02"], 300))

    def first_two(**columns: str) -> np.ndarray:
        source = make_config(events, items, options={"shuffle": True}, columns=columns).data.open(0)
        chunk = next(source.interactions())
        if "timestamp" in chunk:
            chunk = chunk.sort_values(["session_id", "timestamp"], kind="stable")
        return chunk["item_id"].astype(int).to_numpy().reshape(-1, 4)[:, :2]

    assert len(np.unique(np.sort(first_two(), axis=1), axis=0)) == 6
    by_day = first_two(order="day")
    assert (np.sort(by_day, axis=1) == [1, 2]).all() and 100 < (by_day[:, 0] == 1).sum() < 200
