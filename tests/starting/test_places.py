"""Columns that count the events of a session or of a user."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from m2trec_merlin.starting.look import Column
from m2trec_merlin.starting.places import counts_events
from tests.starting.conftest import LookAt
from tests.starting.logs import log, understood

USERS = pd.Series(np.repeat(np.arange(20), 12))


@pytest.mark.parametrize(
    ("numbers", "count"),
    [
        (range(12), True),
        (range(1, 13), True),
        ([1, 2, 3, 4, 1, 2, 3, 1, 2, 1, 2, 3], True),  # visits of a user
        ([1, 1, 1, 2, 2, 2, 2, 3, 3, 4, 4, 4], False),  # numbers of these
        (range(10, 22), False),
        ([1, 5, 2, 9, 4, 1, 7, 2, 2, 8, 3, 3], False),
    ],
)
def test_what_counts_events(numbers: list[int], count: bool) -> None:
    column = Column("click_order", pd.Series([*numbers] * 20))
    assert counts_events(column, USERS, None) is count


def test_a_count_may_slip_and_stand_in_any_order() -> None:
    numbers = pd.Series([*range(12)] * 20)
    shuffled = numbers.sample(frac=1, random_state=0)
    assert counts_events(Column("n", shuffled), USERS.loc[shuffled.index], None)
    numbers[5] = 4
    assert counts_events(Column("n", numbers), USERS, None)


@pytest.mark.parametrize("begin", ["user", "session"])
def test_the_order_of_clicks_is_no_session_and_orders_what_happened_at_one_time(
    look: LookAt, begin: str
) -> None:
    """As in a log of COOKIE, time, Click_order and page: "order" is a word of orders, too."""
    clicks = log("5s", "2days").sort_values(["user", "time"], ignore_index=True)
    clicks["Click_order"] = clicks.groupby(begin).cumcount()
    clicks["time"] = clicks["time"].dt.floor("min")
    clicks = clicks.drop(columns=["session", "step"])
    grouping, order = understood(look, clicks)
    assert (grouping.column, grouping.gap) == ("user", "30 min") and "write both" not in grouping.reason
    assert order.column == "time" and not order.unsure
    assert order.reason.endswith("stay in the order of the file, which is that of 'Click_order'")
    grouping, order = understood(look, clicks.iloc[::-1].reset_index(drop=True))
    assert grouping.gap == "30 min" and order.column == "time" and order.unsure
    assert ("sort the file by 'time' and 'Click_order'" in order.reason) is (begin == "user")


def test_places_order_the_events_of_users_without_times(look: LookAt) -> None:
    clicks = log("2min", "2days")[["user", "product"]]
    clicks["click_order"] = clicks.groupby("user").cumcount() + 1
    grouping, order = understood(look, clicks.sample(frac=1, random_state=0, ignore_index=True))
    assert (grouping.column, order.column) == ("user", "click_order")


def test_places_that_begin_again_order_no_whole_history(look: LookAt) -> None:
    clicks = log("2min", "2days").sort_values(["user", "time"])[["user", "product", "step"]]
    grouping, order = understood(look, clicks.rename(columns={"step": "click_order"}))
    assert (grouping.column, order.column) == ("user", None)


def test_a_step_of_a_session_is_none(look: LookAt) -> None:
    clicks = log("2min", "2days").rename(columns={"session": "visit", "step": "session_step"})
    grouping, _ = understood(look, clicks.drop(columns="user"))
    assert (grouping.column, grouping.unsure) == ("visit", False)


def test_orders_that_follow_each_other_count_no_lines(look: LookAt) -> None:
    lines = pd.DataFrame({"order_no": np.arange(400) // 2 + 1, "order_line": np.arange(400) % 2 + 1})
    grouping, order = understood(look, lines.assign(product=np.arange(400) % 17))
    assert (grouping.column, order.column) == ("order_no", "order_line")


def _visits(name: str, sizes: list[int]) -> pd.DataFrame:
    """Visits with a day each, and within them the seconds since they began or that an event took."""
    random, visits = np.random.default_rng(0), np.repeat(np.arange(300), np.resize(sizes, 300))
    clicks = pd.DataFrame({"session": [f"s{v}" for v in visits], "product": np.arange(len(visits)) % 17})
    took = pd.Series(random.lognormal(4, 1, len(visits)).astype(int) + 1)
    clicks[name] = took.groupby(visits).cumsum() if name == "timeframe" else took
    return clicks.assign(day=pd.Timestamp("2016-01-01") + pd.to_timedelta(visits % 50, "D"))


def test_the_clock_of_a_session_orders_the_events_of_a_day(look: LookAt) -> None:
    """As in Diginetica's logs: eventdate is a day, and timeframe counts from the first query of a session."""
    clicks = _visits("timeframe", [2, 3, 5, 9, 4])
    _, order = understood(look, clicks)
    assert (order.column, order.unsure) == ("day", False) and order.reason.endswith("of 'timeframe'")
    mixed = clicks.sample(frac=1, random_state=0, ignore_index=True)
    _, order = understood(look, mixed)
    assert (order.column, order.times, order.unsure) == ("timeframe", None, True)
    assert "sort the file by 'day' and 'timeframe', and set order: day" in order.reason
    _, order = understood(look, mixed.drop(columns="day"))
    assert (order.column, order.unsure) == ("timeframe", False)


@pytest.mark.parametrize(
    ("name", "sizes"), [("reading_time", [2, 3, 5, 9, 4]), ("timeframe", [4]), ("dwell_ms", [2, 3, 5, 9, 4])]
)
def test_what_may_be_a_span_of_time_orders_nothing(look: LookAt, name: str, sizes: list[int]) -> None:
    clicks = _visits(name, sizes).sample(frac=1, random_state=0, ignore_index=True)
    _, order = understood(look, clicks)
    assert order.column == "day" and name not in order.reason
