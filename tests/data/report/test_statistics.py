from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from m2trec_merlin.config import Config
from m2trec_merlin.data.counting import check_data
from m2trec_merlin.data.report.statistics import DataStatistics, describe
from tests.worlds.tables import MakeConfig


def statistics(config: Config) -> DataStatistics:
    return describe(config, "shop", check_data(config))


def test_by_hand(make_config: MakeConfig, events: pd.DataFrame, items: pd.DataFrame) -> None:
    # By session id modulo 3: train is 40 40, valid 10 20 30, test 10 20 30; session 4 has one event.
    s = statistics(make_config(events, items, max_session_length=2))
    train, test = s.splits["train"], s.splits["test"]
    assert (train.sessions, train.events, train.items, train.targets) == (1, 2, 1, 1)
    assert (train.repeats, train.repeats_at_once, train.repeating_sessions) == (1, 1, 1)
    assert (test.events, test.items, test.unseen_items) == (3, 3, 3)
    assert (test.targets, test.unseen_targets, test.lengths) == (2, 2, [(3, 1)])
    assert (s.left_out.short_sessions, s.left_out.long_sessions, s.left_out.cut_events) == (1, 0, 0)
    assert (s.popularity.items, s.popularity.curve) == (1, [(1, 2, 1.0)])
    assert s.timeline.first is None and test.first is None
    assert (s.items, s.equal_items.items, s.settings["max_session_length"]) == (4, 0, 2)


def timed(sessions: dict[int, tuple[str, list[int]]]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            (session, item, pd.Timestamp(start) + pd.Timedelta(minutes=n))
            for session, (start, ids) in sessions.items()
            for n, item in enumerate(ids)
        ],
        columns=["session_id", "item_id", "position"],
    )


TIMED = {
    2: ("2024-01-01", [10, 20, 30, 40, 10, 20]),
    5: ("2024-03-05", [10, 20, 10]),
    1: ("2024-01-02", [20, 30]),
    3: ("2024-03-01", [20, 40]),
    6: ("2024-03-05", [10, 10]),
}


def test_times_and_what_is_cut(make_config: MakeConfig, items: pd.DataFrame) -> None:
    s = statistics(make_config(timed(TIMED), items, "parquet", max_session_length=2))
    assert (s.left_out.long_sessions, s.left_out.cut_events) == (2, 4 + 1)
    assert (s.splits["train"].first, s.splits["train"].last) == ("2024-01-01T00:00:00", "2024-03-05T00:02:00")
    assert (s.timeline.first, s.timeline.hours) == ("2024-01-01T00:00:00", 24)
    assert {name: sum(n) for name, n in s.timeline.sessions.items()} == {"train": 2, "valid": 1, "test": 2}
    assert s.timeline.sessions["train"][0] == s.timeline.sessions["train"][-1] == 1
    assert len(s.timeline.sessions["train"]) == 65  # days of a leap year
    # The one of March 1st; that of March 5th may come after the last one of training.
    assert s.splits["test"].in_training_time == 1
    assert s.popularity.curve[0] == (1, 4, pytest.approx(4 / 9))


@pytest.mark.parametrize(("years", "days"), [(0.1, 1), (1, 7), (3, 30), (15, 91), (60, 365), (500, 2283)])
def test_any_span_fits_into_some_bars(
    make_config: MakeConfig, items: pd.DataFrame, years: float, days: int
) -> None:
    end = str(np.datetime64("1700-01-01") + np.timedelta64(int(years * 365.25), "D"))
    sessions = {**TIMED, 2: ("1700-01-01", [10, 20]), 5: (end, [10, 20]), 1: (end, [20, 30])}
    sessions |= {3: (end, [20, 40]), 6: (end, [10, 10])}
    line = statistics(make_config(timed(sessions), items, "parquet")).timeline
    assert line.hours == 24 * days and len(line.sessions["train"]) <= 80
    assert line.sessions["test"][-1] == 2 and line.sessions["train"][0] == 1


def test_few_days_are_drawn_by_the_hour(make_config: MakeConfig, items: pd.DataFrame) -> None:
    starts = (
        "2024-01-01T10:40",
        "2024-01-01T12:10",
        "2024-01-01T11:00",
        "2024-01-01T11:59",
        "2024-01-01T13:00",
    )
    sessions = {session: (start, [10, 20]) for session, start in zip(TIMED, starts, strict=True)}
    s = statistics(make_config(timed(sessions), items, "parquet"))
    assert (s.timeline.first, s.timeline.hours) == ("2024-01-01T10:00:00", 1)
    # 2 and 5 are for training, 1 is for validation, 3 and 6 are for the test.
    assert s.timeline.sessions == {"train": [1, 0, 1, 0], "valid": [0, 1, 0, 0], "test": [0, 1, 0, 1]}
    assert s.splits["test"].in_training_time == 1


def test_popularity_of_many_items(make_config: MakeConfig) -> None:
    # Item 1 is in every training session beside one of 199 others.
    n = 199
    items = pd.DataFrame({"item_id": range(1, n + 2), "title": "x", "category": "y", "price": 1.0})
    pairs: dict[int, Any] = {3 * i + 2: ("2024-01-01", [1, i + 2]) for i in range(n)}
    pairs |= {1: ("2024-01-01", [1, 2]), 3: ("2024-01-01", [1, 2])}
    popularity = statistics(make_config(timed(pairs), items, "parquet")).popularity
    assert (popularity.items, popularity.once) == (200, 199)
    assert popularity.top_1_percent == pytest.approx((199 + 1) / 398)
    assert popularity.top_10_percent == pytest.approx((199 + 19) / 398)
    assert popularity.curve[0][:2] == (1, 199) and popularity.curve[-1] == (200, 1, 1.0)
    ranks = [rank for rank, _, _ in popularity.curve]
    assert ranks == sorted(set(ranks)) and len(ranks) <= 100
