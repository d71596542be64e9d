from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from m2trec_merlin.data.report.counts import SplitCounts
from m2trec_merlin.readers.canonical import KnownItems

KNOWN = KnownItems(pd.Series(["a", "b", "c", "d"]))


def events(*sessions: str, times: list[str] | None = None) -> pd.DataFrame:
    """A letter an event; sessions begin at the given times, and take a minute an event."""
    frame = pd.DataFrame(
        {
            "session_id": [n for n, session in enumerate(sessions) for _ in session],
            "item_id": [item for session in sessions for item in session],
            "position": [position for session in sessions for position in range(len(session))],
        }
    )
    if times:
        starts = np.array(times, dtype="datetime64[us]")[frame["session_id"]]
        frame["timestamp"] = starts + frame["position"].to_numpy() * np.timedelta64(1, "m")
    return frame


def test_by_hand() -> None:
    counts = SplitCounts(KNOWN)
    counts.add(events("aab", "ba", "cbcc", times=["2024-01-02 23:59", "2024-01-01", "2024-01-02 08:00"]))
    counts.add(events("ab", times=["2024-01-05"]))
    assert (counts.sessions, counts.total) == (4, 11)
    assert counts.events.tolist() == [4, 4, 3, 0]
    assert counts.targets.tolist() == [2, 3, 2, 0]  # all but the first of each session
    assert counts.lengths.tolist() == [0, 0, 2, 1, 1]
    assert (counts.repeats, counts.repeats_at_once, counts.repeating_sessions) == (3, 2, 2)
    hours = {str(np.datetime64(hour, "h")): n for hour, n in counts.hours.items()}
    assert hours == {"2024-01-02T23": 1, "2024-01-02T08": 1, "2024-01-01T00": 1, "2024-01-05T00": 1}
    assert str(counts.first) == "2024-01-01T00:00:00.000000"
    assert str(counts.last) == "2024-01-05T00:01:00.000000"


def test_where_the_last_event_alone_is_predicted_it_alone_is_a_target() -> None:
    counts = SplitCounts(KNOWN, last_only=True)
    counts.add(events("aab", "ba", "cbcc"))
    assert counts.targets.tolist() == [1, 1, 1, 0]


def test_an_item_that_ends_a_session_and_begins_the_next_is_no_repeat() -> None:
    counts = SplitCounts(KNOWN)
    counts.add(events("ab", "bc"))
    assert (counts.repeats, counts.repeats_at_once, counts.repeating_sessions) == (0, 0, 0)


def test_events_that_may_not_be_targets_are_none() -> None:
    counts = SplitCounts(KNOWN)
    counts.add(events("aab", "ba").assign(target=[True, True, False, True, True]))
    assert counts.events.tolist() == [3, 2, 0, 0]
    assert counts.targets.tolist() == [2, 0, 0, 0]


def test_without_times_there_are_no_hours() -> None:
    counts = SplitCounts(KNOWN)
    counts.add(events("ab"))
    assert not len(counts.hours) and np.isnat(counts.first) and np.isnat(counts.last)


@pytest.mark.parametrize("seed", range(3))
def test_chunks_change_nothing_and_pandas_counts_the_same(seed: int) -> None:
    random = np.random.default_rng(seed)
    sessions = ["".join(random.choice(list("abcd"), random.integers(2, 9))) for _ in range(60)]
    whole, parts = SplitCounts(KNOWN), SplitCounts(KNOWN)
    whole.add(events(*sessions))
    for begin in range(0, 60, 7):
        parts.add(events(*sessions[begin : begin + 7]))
    for name in ("events", "targets", "lengths"):
        assert getattr(whole, name).tolist() == getattr(parts, name).tolist()
    for name in ("sessions", "total", "repeats", "repeats_at_once", "repeating_sessions"):
        assert getattr(whole, name) == getattr(parts, name)
    frame = events(*sessions)
    grouped = frame.groupby("session_id")["item_id"]
    assert whole.repeats == frame.duplicated(["session_id", "item_id"]).sum()
    assert whole.repeating_sessions == (grouped.size() > grouped.nunique()).sum()
    assert whole.repeats_at_once == (frame["item_id"] == grouped.shift()).sum()
    assert whole.targets.sum() == (frame["position"] > 0).sum()
