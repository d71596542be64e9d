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
