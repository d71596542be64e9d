"""What orders the events of sessions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from m2trec_merlin.starting.run import examine
from tests.starting.conftest import LookAt
from tests.starting.logs import START, log, understood
from tests.starting.test_run import clicks, products

RANDOM = np.random.default_rng(7)


def test_positions_order_what_happened_at_one_time(look: LookAt) -> None:
    """Times tell the last sessions from the first: where rows are in the order of positions, they do."""
    clicks = log("2min", "2days")
    clicks["time"] = clicks.groupby("session")["time"].transform("min")
    _, order = understood(look, clicks)
    assert order.column == "time" and order.times is not None and not order.unsure
    assert order.reason.endswith("stay in the order of the file, which is that of 'step'")
    _, order = understood(look, clicks.iloc[::-1].reset_index(drop=True))
    assert (order.column, order.times) == ("step", None) and "by 'time', 100 % of events" in order.reason


def test_times_that_are_equal_in_a_session_are_better_than_none(look: LookAt) -> None:
    clicks = log("2min", "2days").drop(columns="step")
    clicks["time"] = clicks.groupby("session")["time"].transform("min")
    _, order = understood(look, clicks)
    assert order.column == "time" and order.times is not None and order.unsure


def test_counts_since_1970_are_times_and_doubted_without_a_telling_name(look: LookAt) -> None:
    clicks = log("2min", "2days").drop(columns="step")
    clicks["time"] = clicks["time"].astype("int64") // 10**9
    _, order = understood(look, clicks)
    assert order.times is not None and order.times.time_format == "s"
    _, order = understood(look, clicks.rename(columns={"time": "x"}))
    assert order.times is not None and order.times.time_format == "s" and order.unsure
    assert "'x' is taken for Unix time by its numbers" in order.reason


def test_other_times_of_the_events_are_named(look: LookAt) -> None:
    clicks = log("2min", "2days")
    clicks["shipped_at"] = clicks["time"] + pd.to_timedelta(np.arange(len(clicks)) % 13, "h")
    clicks["day"] = clicks["time"].dt.date
    _, order = understood(look, clicks.drop(columns="shipped_at"))
    assert (order.column, order.unsure) == ("time", False)
    _, order = understood(look, clicks)
    assert (order.column, order.unsure) == ("time", True)
    assert order.reason.endswith("; 'shipped_at' could be those of the events, too")


def test_days_in_the_order_of_the_file_are_doubted_also_where_they_cut_sessions(look: LookAt) -> None:
    baskets = log("1s", "3 days").drop(columns=["session", "step"])
    cut, by_clock = understood(look, baskets)
    assert cut.gap == "30 min" and not by_clock.unsure
    _, by_days = understood(look, baskets.assign(time=baskets["time"].dt.normalize()))
    assert by_days.column == "time" and by_days.unsure and "stay in the order of the file" in by_days.reason


@pytest.mark.parametrize("later", ["shipped", "updated_at", "Versanddatum"])
def test_what_follows_from_an_event_is_not_its_time(look: LookAt, later: str) -> None:
    clicks = log("2min", "2days")
    wait = pd.to_timedelta(np.arange(len(clicks)) % 5 + 1, "h") + pd.to_timedelta(np.arange(len(clicks)), "s")
    clicks.insert(0, later, clicks["time"] + wait)
    assert clicks[later].nunique() >= clicks["time"].nunique()
    _, order = understood(look, clicks)
    assert order.column == "time"


@pytest.mark.parametrize("once", ["birth_date", "joined_at", "signup time"])
def test_a_time_that_is_always_the_same_of_a_user_is_none_of_events(look: LookAt, once: str) -> None:
    clicks = log("2min", "2days", users=300, visits=2, events=2).drop(columns="step")
    clicks["time"] = clicks["time"].dt.floor("D")
    clicks[once] = START - pd.to_timedelta(clicks["user"].str[1:].astype(int), "D")
    assert clicks[once].nunique() > clicks["time"].nunique()
    _, order = understood(look, clicks)
    assert order.column == "time"


def test_dates_that_do_not_order_events_are_told_not_to_split_them(look: LookAt) -> None:
    clicks = log("2min", "2days", visits=25)
    clicks["time"] = clicks["time"].dt.normalize()
    _, order = understood(look, clicks.sample(frac=1, random_state=0, ignore_index=True))
    assert order.column == "step" and order.times is None and order.unsure
    assert "sort the file by 'time' and 'step', and set order: time" in order.reason


@pytest.mark.parametrize("is_sorted", [True, False])
def test_dates_that_cannot_split_give_way_to_positions(look: LookAt, is_sorted: bool) -> None:
    """As in Spotify's log of skips; to sort the file would not make 8 days split the sessions."""
    clicks = log("2min", "2days")
    clicks["time"] = clicks["time"].dt.normalize()
    rows = clicks if is_sorted else clicks.sample(frac=1, random_state=0, ignore_index=True)
    grouping, order = understood(look, rows)
    assert (grouping.column, order.column, order.unsure) == ("session", "step", False)
    _, order = understood(look, rows.drop(columns="session"))
    assert order.column == "time", "times cut the sessions of users"


@pytest.mark.parametrize("name", ["event_ms", "hit"])
def test_counts_since_1970_are_no_positions(look: LookAt, name: str) -> None:
    clicks = log("2min", "2days").drop(columns="step").rename(columns={"time": name})
    clicks[name] = clicks[name].astype("int64") // 10**6
    _, order = understood(look, clicks)
    assert (order.column, order.unsure) == (name, True)
    assert order.times is not None and order.times.time_format == "ms"


@pytest.mark.parametrize("n_days", [3, 40], ids=["by places", "by days in the order of places"])
def test_hours_beside_days_are_told_only_where_nothing_orders_these(tmp_path: Path, n_days: int) -> None:
    table = clicks().rename(columns={"at": "date"})
    visit = np.arange(len(table)) // 4
    table["date"] = (pd.Timestamp("2024-01-01") + pd.to_timedelta(visit % n_days, "D")).strftime("%Y-%m-%d")
    table["hour_of_day"] = visit % 24
    placed = table.assign(session_position=np.arange(len(table)) % 4 + 1)
    products().to_csv(tmp_path / "products.csv", index=False)
    for rows, is_told in ((table, True), (placed, False)):
        rows.to_csv(tmp_path / "clicks.csv", index=False)
        doubts = examine(tmp_path / "clicks.csv", tmp_path / "products.csv").doubts()
        assert any("'hour_of_day' holds times of day" in line for line in doubts) is is_told


def test_a_clock_of_sessions_is_no_time_that_cannot_be_read(tmp_path: Path) -> None:
    table = clicks(sessions=300).drop(columns="at")[np.arange(1200) % 4 <= np.arange(1200) // 4 % 3 + 1]
    took = pd.Series(RANDOM.integers(1_000, 90_000, size=len(table)), table.index)
    table.assign(timeframe=took.groupby(table["visit"]).cumsum()).to_csv(tmp_path / "clicks.csv", index=False)
    products().to_csv(tmp_path / "products.csv", index=False)
    found = examine(tmp_path / "clicks.csv", tmp_path / "products.csv")
    assert found.order.column == "timeframe" and not any("timeframe" in line for line in found.doubts())
