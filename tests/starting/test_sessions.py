from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from m2trec_merlin.errors import DataError
from tests.starting.conftest import LookAt
from tests.starting.logs import log, understood


def test_a_column_of_sessions_goes_before_one_of_users(look: LookAt) -> None:
    grouping, order = understood(look, log("2min", "2days"))
    assert (grouping.column, grouping.gap, grouping.unsure) == ("session", None, False)
    assert order.column == "time" and order.times is not None


@pytest.mark.parametrize("name", ["user_session", "visit_id", "orderNo", "order_num", "basket"])
def test_names_of_sessions(look: LookAt, name: str) -> None:
    grouping, _ = understood(look, log("2min", "2days").rename(columns={"session": name}))
    assert (grouping.column, grouping.gap) == (name, None)


def test_numbers_that_begin_again_for_each_user_are_no_sessions(look: LookAt) -> None:
    clicks = log("2min", "2days", users=25, visits=25)
    clicks["session"] = clicks["session"].str.split("-").str[1].astype(int) + 1
    grouping, order = understood(look, clicks)
    assert (grouping.column, grouping.gap, grouping.unsure) == ("user", "30 min", True)
    assert "'session' begins again within each 'user': write both into one column" in grouping.reason
    assert order.column == "time"


def test_numbers_that_begin_again_in_each_store_are_told(look: LookAt) -> None:
    clicks = log("2min", "2days", users=6, visits=30).rename(columns={"user": "store", "session": "receipt"})
    own = clicks.assign(receipt=clicks["store"] + clicks["receipt"])
    assert not understood(look, own)[0].unsure
    clicks["receipt"] = clicks["receipt"].str.split("-").str[1]
    grouping, _ = understood(look, clicks)
    assert grouping.column == "receipt" and grouping.unsure
    assert "'receipt' begins again within each 'store'" in grouping.reason
    # What follows from the item is no place where it was bought.
    sellers = clicks.assign(store=clicks["product"].astype(str))
    assert "begins again" not in understood(look, sellers)[0].reason


@pytest.mark.parametrize("name", ["order_qty", "session_duration", "basketValue", "num_orders"])
def test_amounts_are_no_sessions(look: LookAt, name: str) -> None:
    clicks = log("2min", "2days").drop(columns="session")
    clicks[name] = np.arange(len(clicks)) % 97 / (4 if "Value" in name else 1)
    grouping, _ = understood(look, clicks)
    assert (grouping.column, grouping.gap) == ("user", "30 min")


@pytest.mark.parametrize(
    ("name", "written"), [("Bestellung", "{},21"), ("order", "{}.21"), ("order_total_cents", "{}21")]
)
def test_what_an_order_costs_is_no_session(look: LookAt, name: str, written: str) -> None:
    clicks = log("2min", "2days")
    cost = pd.factorize(clicks.pop("session"))[0] + 10
    clicks[name] = [written.format(each) for each in cost]
    grouping, _ = understood(look, clicks)
    assert (grouping.column, grouping.gap) == ("user", "30 min")


@pytest.mark.parametrize("name", ["visitorid", "customer_id", "Kundennummer", "uid", "userId"])
def test_names_of_users(look: LookAt, name: str) -> None:
    clicks = log("2min", "2days").rename(columns={"user": name}).drop(columns="session")
    grouping, _ = understood(look, clicks)
    assert (grouping.column, grouping.gap) == (name, "30 min")


@pytest.mark.parametrize(
    ("pause", "between", "gap"),
    [
        ("2min", "2days", "30 min"),
        ("45min", "2days", "1 h"),
        ("8h", "20days", "12 h"),
        ("2days", "40days", "7 days"),
    ],
)
def test_users_are_cut_where_most_events_stay_in_company(
    look: LookAt, pause: str, between: str, gap: str
) -> None:
    grouping, order = understood(look, log(pause, between).drop(columns="session"))
    assert (grouping.column, grouping.gap, order.column) == ("user", gap, "time")
    assert "5.0 on average" in grouping.reason and grouping.unsure


def test_users_who_come_back_after_months_are_sessions(look: LookAt) -> None:
    grouping, _ = understood(look, log("40days", "90days").drop(columns="session"))
    assert (grouping.column, grouping.gap, grouping.unsure) == ("user", None, True)


def test_days_without_a_clock_are_not_cut_by_minutes(look: LookAt) -> None:
    clicks = log("1s", "2days").drop(columns=["session", "step"])
    clicks["time"] = clicks["time"].dt.date
    grouping, order = understood(look, clicks)
    assert (grouping.column, grouping.gap, order.column) == ("user", "12 h", "time")


@pytest.mark.parametrize(
    ("step", "gap"), [("min", "30 min"), ("20min", "30 min"), ("h", "1 h"), ("2h", "12 h"), ("D", "12 h")]
)
@pytest.mark.parametrize("ahead", ["0min", "30min"], ids=["UTC", "India"])
def test_a_gap_is_no_shorter_than_the_times_can_tell(look: LookAt, step: str, gap: str, ahead: str) -> None:
    """By the hour, a visit from 9:50 to 10:10 is one of 9 and 10, and no pause of 30 min ends it."""
    clicks = log("7min", "2days", users=50).drop(columns=["session", "step"])
    clicks["time"] = clicks["time"].dt.floor(step) + pd.Timedelta(ahead)
    grouping, _ = understood(look, clicks)
    assert (grouping.column, grouping.gap) == ("user", gap)


def test_users_without_times_are_sessions(look: LookAt) -> None:
    grouping, order = understood(look, log("2min", "2days")[["user", "product", "action"]])
    assert (grouping.column, grouping.gap, grouping.unsure) == ("user", None, True)
    assert order.column is None and order.unsure


def test_a_column_without_a_telling_name_is_found_by_its_values(look: LookAt) -> None:
    clicks = log("2min", "2days")
    short, _ = understood(look, clicks[["session", "product", "time"]].rename(columns={"session": "x"}))
    assert (short.column, short.gap, short.unsure) == ("x", None, True)
    long, _ = understood(look, clicks[["user", "product", "time"]].rename(columns={"user": "x"}))
    assert (long.column, long.gap) == ("x", "30 min")


@pytest.mark.parametrize(
    "columns", [["product"], ["product", "action"], ["product", "time"], ["product", "time", "action"]]
)
def test_events_that_nothing_groups_are_refused(look: LookAt, columns: list[str]) -> None:
    clicks = log("2min", "2days")
    with pytest.raises(DataError, match=r"no column groups the events into sessions.*product \(17 values\)"):
        understood(look, clicks[columns])


def test_a_column_of_row_numbers_groups_nothing(look: LookAt) -> None:
    clicks = log("2min", "2days")[["product", "time"]]
    with pytest.raises(DataError, match="no column groups the events"):
        understood(look, clicks.assign(session_id=np.arange(len(clicks))))


def test_what_is_said_of_sessions_is_no_session(look: LookAt) -> None:
    clicks = log("2min", "2days", users=60).rename(columns={"session": "visit"})
    clicks["session_city"] = [f"city {n % 23}" for n in range(len(clicks))]
    grouping, _ = understood(look, clicks)
    assert grouping.column == "visit"


def test_times_of_day_are_no_orders(look: LookAt) -> None:
    clicks = log("2min", "2days").rename(columns={"session": "order"})
    clicks["order_time"] = clicks["time"].dt.strftime("%H:%M:%S")
    clicks["order_date"] = clicks.pop("time").dt.date
    grouping, _ = understood(look, clicks)
    assert (grouping.column, grouping.unsure) == ("order", False)


def test_orders_of_one_event_are_doubted_where_users_are_known(look: LookAt) -> None:
    clicks = log("2min", "2days")
    clicks["order"] = clicks["session"].where(clicks["step"] > 3, [f"alone {n}" for n in range(len(clicks))])
    grouping, _ = understood(look, clicks.drop(columns="session"))
    assert (grouping.column, grouping.unsure) == ("order", True)
    assert "60 % of events are alone in theirs: data.sessions can cut those of 'user'" in grouping.reason
    grouping, _ = understood(look, clicks.drop(columns=["session", "user"]))
    assert (grouping.column, grouping.unsure) == ("order", False)


def test_sessions_of_several_users_are_told(look: LookAt) -> None:
    """As those of Google Analytics, which are the second in which a session began."""
    clicks = log("2min", "2days").rename(columns={"user": "user_pseudo_id", "session": "ga_session_id"})
    clicks["user_pseudo_id"] = "1700000." + clicks["user_pseudo_id"].str[1:].str.zfill(7)
    assert not understood(look, clicks)[0].unsure
    ids = clicks["ga_session_id"].unique()
    clicks["ga_session_id"] = clicks["ga_session_id"].replace(dict(zip(ids[:9], ids[-9:], strict=True)))
    grouping, _ = understood(look, clicks)
    assert grouping.column == "ga_session_id" and grouping.unsure
    assert "of events are in sessions of several 'user_pseudo_id'" in grouping.reason


def test_guests_who_share_an_id_or_have_none_are_told(look: LookAt) -> None:
    clicks = log("2min", "2days", users=60).drop(columns="session")
    assert "guests" not in understood(look, clicks)[0].reason
    guests = clicks["user"].str[1:].astype(int) % 3 == 0
    grouping, _ = understood(look, clicks.assign(user=clicks["user"].where(~guests, "0")))
    assert "33 % of events are of '0': if guests share it" in grouping.reason
    grouping, _ = understood(look, clicks.assign(user=clicks["user"].where(~guests)))
    assert f"{guests.sum():,} events have none, which the data step refuses" in grouping.reason


@pytest.mark.parametrize("name", ["session", "x"])
def test_guests_who_share_a_session_or_have_none_are_told(look: LookAt, name: str) -> None:
    clicks = log("2min", "2days", users=60).drop(columns="user").rename(columns={"session": name})
    assert "guests" not in understood(look, clicks)[0].reason
    guests = clicks.index % 3 == 0
    grouping, _ = understood(look, clicks.assign(**{name: clicks[name].where(~guests, "0")}))
    assert "33 % of events are of '0': if guests share it" in grouping.reason and grouping.unsure
    grouping, _ = understood(look, clicks.assign(**{name: clicks[name].where(~guests)}))
    assert f"{guests.sum():,} events have none, which the data step refuses" in grouping.reason


def test_numbers_that_begin_again_each_day_are_told(look: LookAt) -> None:
    clicks = log("2min", "24h").rename(columns={"session": "receipt_no"})
    again = clicks.assign(receipt_no=clicks["user"].str[1:]).drop(columns="user")
    grouping, _ = understood(look, again)
    assert grouping.column == "receipt_no" and grouping.unsure
    assert "100 % of sessions of two and more have events half a day apart" in grouping.reason
    whole, _ = understood(look, clicks.drop(columns="user"))
    assert whole.column == "receipt_no" and not whole.unsure


def test_addresses_are_users_only_where_nothing_else_is(look: LookAt) -> None:
    clicks = log("2min", "3h").drop(columns=["session", "step"])
    addresses = [f"10.0.{row % 7}.{row % 250}" for row in range(len(clicks))]
    assert understood(look, clicks.assign(client_ip=addresses))[0].column == "user"


@pytest.mark.parametrize("name", ["customer_id", "customer", "User", "user"])
def test_few_customers_are_users(look: LookAt, name: str) -> None:
    clicks = log("2min", "3h", users=8, visits=20).drop(columns=["session", "step"])
    grouping, _ = understood(look, clicks.rename(columns={"user": name}))
    assert (grouping.column, grouping.gap) == (name, "30 min")


@pytest.mark.parametrize("name", ["customer_segment", "customerKind", "device", "member"])
def test_few_kinds_of_customers_are_no_users(look: LookAt, name: str) -> None:
    clicks = log("2min", "3h", users=8, visits=20).drop(columns=["session", "step"])
    kinds = {"device": clicks["user"].map({f"u{n}": "abcdefgh"[n] for n in range(8)})}
    kinds["member"] = (clicks["user"] > "u3").astype(int)
    with pytest.raises(DataError, match="no column groups the events into sessions"):
        understood(look, clicks.assign(**{name: kinds.get(name, clicks["user"])}).drop(columns="user"))
