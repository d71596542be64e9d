"""Which of several columns holds the times of the events."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from tests.starting.conftest import LookAt
from tests.starting.logs import START, log, understood


def test_numbers_since_1970_beside_days_are_the_times_of_day(look: LookAt) -> None:
    clicks = log("2min", "3h").drop(columns=["session", "step"])
    millis = clicks["time"].astype("datetime64[ms]").astype("int64")
    dated = clicks.assign(time=clicks["time"].dt.strftime("%Y-%m-%d")).rename(columns={"time": "day"})
    grouping, order = understood(look, dated.assign(millis=millis))
    assert (grouping.column, grouping.gap, order.column) == ("user", "30 min", "millis") and order.unsure
    far = millis + 10 * 86_400_000
    assert understood(look, dated.assign(millis=far))[1].column == "day"


@pytest.mark.parametrize("name", ["dvce_created_time", "event_time_local"])
def test_clocks_of_devices_and_places_come_after_others(look: LookAt, name: str) -> None:
    clicks = log("2min", "3h").drop(columns=["session", "step"])
    earlier = clicks["time"] - pd.Timedelta("3s")
    _, order = understood(look, clicks.assign(**{name: earlier}))
    assert order.column == "time" and f"'{name}' could be those of the events, too" in order.reason


def _orders(created: str, shipped: str, at_once: bool) -> pd.DataFrame:
    """Orders of three lines within 60 days, each line shipped by itself; `at_once`: some on the same day."""
    random, n_orders = np.random.default_rng(0), 400
    placed = START + pd.to_timedelta(random.integers(60 * 86_400, size=n_orders), "s")
    lines = pd.DataFrame({"order": [f"o{n}" for n in range(n_orders)], "created_at": placed})
    lines = lines.loc[lines.index.repeat(3)].reset_index(drop=True)
    wait = random.integers(*((4, 72) if at_once else (24, 240)), size=len(lines)) * 3600 + lines.index
    lines["shipped_at"] = (lines["created_at"] + pd.to_timedelta(wait, "s")).dt.floor(shipped)
    lines["created_at"] = lines["created_at"].dt.floor(created)
    return lines.assign(product=random.integers(17, size=len(lines)))


@pytest.mark.parametrize(
    ("created", "shipped", "is_told"),
    [("s", "s", True), ("D", "D", True), ("D", "s", True), ("s", "D", False)],
)
@pytest.mark.parametrize("at_once", [False, True])
def test_delays_do_not_make_a_later_time_the_finer_one(
    look: LookAt, created: str, shipped: str, is_told: bool, at_once: bool
) -> None:
    _, order = understood(look, _orders(created, shipped, at_once))
    assert order.column == "created_at"
    # Where the earlier time is also the finer one, there is nothing to ask.
    assert order.reason.endswith("; 'shipped_at' could be those of the events, too") is is_told


def test_days_that_a_later_time_seems_to_tell_better_are_named(look: LookAt) -> None:
    lines = _orders("s", "s", at_once=True).rename(columns={"created_at": "order_date"})
    hours = pd.Series(np.random.default_rng(1).integers(2, 11, size=len(lines)))
    shipped = lines["order_date"] + pd.to_timedelta(hours * 3600 + lines.index, "s")
    days = lines.assign(order_date=lines["order_date"].dt.floor("D"))
    _, order = understood(look, days.assign(shipped_at=shipped))
    assert {order.column, *re.findall("'([a-z_]+)' could be", order.reason)} == {"order_date", "shipped_at"}


@pytest.mark.parametrize(("zone", "hours"), [(-8, 24), (0, 24), (9, 24), (0, 12)])
def test_days_of_the_same_event_are_not_named(look: LookAt, zone: int, hours: int) -> None:
    lines = _orders("s", "s", at_once=True).drop(columns="shipped_at")
    seconds = np.random.default_rng(1).integers(hours * 3600, size=len(lines))
    local = lines["created_at"].dt.floor("D") + pd.to_timedelta(seconds, "s")
    zoned = lines.assign(created_at=local - pd.Timedelta(hours=zone), order_date=local.dt.floor("D"))
    _, order = understood(look, zoned)
    assert order.column == "created_at" and "order_date" not in order.reason


def test_a_date_that_stands_for_none_makes_no_delivery_the_earlier_one(look: LookAt) -> None:
    lines = _orders("D", "D", at_once=False)
    lines.loc[::40, "shipped_at"] = pd.Timestamp("1900-01-01")
    _, order = understood(look, lines)
    assert order.column == "created_at"


def test_days_as_unix_times_are_one_column_beside_the_same_days(look: LookAt) -> None:
    lines = _orders("D", "D", at_once=False).drop(columns="shipped_at")
    lines["unixTime"] = lines["created_at"].astype("int64") // 10**9
    _, order = understood(look, lines)
    assert order.column in ("created_at", "unixTime") and "too" not in order.reason


def test_times_that_are_there_twice_are_no_rivals(look: LookAt) -> None:
    lines = _orders("s", "s", at_once=False)
    _, order = understood(look, lines.assign(shipped_at=lines["created_at"]))
    assert "too" not in order.reason


@pytest.mark.parametrize("created", ["s", "D"])
@pytest.mark.parametrize("name", ["updated_at", "lastModified", "Geändert am"])
def test_changes_of_lines_are_no_better_times_of_their_order(look: LookAt, created: str, name: str) -> None:
    """Pickers scan the goods of an order within an hour, in the order of the shelves."""
    lines = _orders("s", "s", at_once=True).drop(columns="shipped_at")
    minutes = np.random.default_rng(1).integers(5, 50, size=len(lines))
    lines[name] = lines["created_at"] + pd.to_timedelta(minutes * 60 + lines.index % 3, "s")
    lines["created_at"] = lines["created_at"].dt.floor(created)
    _, order = understood(look, lines)
    assert order.column == "created_at" and f"'{name}' could be those of the events, too" in order.reason
    _, order = understood(look, lines.drop(columns="created_at"))
    assert (order.column, order.unsure) == (name, False)


def test_changes_are_not_named_where_another_time_tells_events_apart(look: LookAt) -> None:
    clicks = log("2min", "2days").drop(columns="step")
    clicks["updated_at"] = clicks["time"] + pd.to_timedelta(np.arange(len(clicks)) % 13 * 600, "s")
    _, order = understood(look, clicks)
    assert (order.column, order.unsure) == ("time", False)


@pytest.mark.parametrize("again", [0, 40])
def test_the_date_of_the_only_order_of_a_customer_is_named(look: LookAt, again: int) -> None:
    lines = _orders("D", "D", at_once=False)
    customers = lines["order"].str.replace("o", "c")
    customers[:again] = customers[3 * again : 4 * again].to_numpy()
    _, order = understood(look, lines.assign(customer=customers))
    named = {order.column, *re.findall("'([a-z_]+)' could be", order.reason)}
    assert named == {"created_at", "shipped_at"}


def test_the_birthday_of_a_customer_is_not_named(look: LookAt) -> None:
    lines = _orders("s", "s", at_once=False).drop(columns="shipped_at")
    customers = lines["order"].str.replace("o", "c")
    birthdays = pd.Timestamp("1980-01-01") + pd.to_timedelta(customers.str[1:].astype(int), "D")
    _, order = understood(look, lines.assign(customer=customers, birth_date=birthdays))
    assert order.column == "created_at" and "birth_date" not in order.reason


@pytest.mark.parametrize("coarse", ["D", "h", "W", "M"], ids=["day", "hour", "week", "month"])
@pytest.mark.parametrize("zone", [-8, 0, 9])
def test_a_time_that_is_told_better_goes_first(look: LookAt, coarse: str, zone: int) -> None:
    clicks = log("100s", "3days", users=50).drop(columns=["session", "step"])
    local = clicks["time"] + pd.to_timedelta(zone if coarse in "DWM" else 0, "h")
    clicks["day"] = local.dt.to_period(coarse).dt.start_time
    _, order = understood(look, clicks)
    assert (order.column, order.unsure) == ("time", False)


@pytest.mark.parametrize("pause", ["10s", "40min"])
def test_the_start_of_a_visit_is_no_time_of_its_events(look: LookAt, pause: str) -> None:
    clicks = log(pause, "2days", users=50).drop(columns="step")
    clicks["visit_start_time"] = clicks.groupby("session")["time"].transform("min") - pd.Timedelta("20s")
    _, order = understood(look, clicks)
    assert (order.column, order.unsure) == ("time", False)


def test_dates_of_items_are_no_times_of_events(look: LookAt) -> None:
    clicks = log("2min", "2days").drop(columns="step")
    clicks["time"] = clicks["time"].dt.normalize()
    clicks["release_date"] = START - pd.to_timedelta(clicks["product"], "D")
    _, order = understood(look, clicks)
    assert order.column == "time" and "release_date" not in order.reason


def test_days_that_are_counted_come_after_dates(look: LookAt) -> None:
    clicks = log("2min", "20days").drop(columns="step")
    clicks["day"] = (clicks["time"] - START).dt.days + 1
    _, order = understood(look, clicks)
    assert (order.column, order.unsure) == ("time", False)
