"""Columns by which a person tells events that should count from others."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from m2trec_merlin.starting.events import taken_back, told_apart
from m2trec_merlin.starting.look import Column


@pytest.mark.parametrize(
    ("name", "values", "told"),
    [
        ("Quantity", [1, 6, -2, 12], "'Quantity' is below 0 in 25 % of events: if these were cancelled"),
        ("amount", ["3", "-1.5"], "'amount' is below 0 in 50 % of events"),
        ("amount", ["3", "-1,5", "2,5", "1"], "'amount' is below 0 in 25 % of events"),
        ("Menge", ["3,000", "29,000-", "1,000", "2,000"], "'Menge' is below 0 in 25 % of events"),
        ("Quantity", [1, 6, 2, 0], None),
        ("quantity", [-1, -2], None),
        ("latitude", [1, -6], None),
    ],
)
def test_amounts_below_nothing_are_told(name: str, values: list[Any], told: str | None) -> None:
    found = "".join(taken_back([Column(name, pd.Series(values))]))
    assert found.startswith(told) if told else not found


def test_amounts_that_are_numbers_can_be_left_out_by_a_setting() -> None:
    remedies = {"Menge": [1, -2], "amount": ["3", "-1,5"]}
    told = [next(taken_back([Column(name, pd.Series(values))])) for name, values in remedies.items()]
    assert "set data.keep: [{column: Menge, at_least: 0}], or they" in told[0]
    assert "filter the file, or they" in told[1]


@pytest.mark.parametrize(
    ("name", "values", "is_told"),
    [
        ("behavior_type", ["pv", "buy", "fav"], True),
        ("user_action", ["view", "cart"], True),
        ("order_status", ["complete", "canceled"], True),
        ("device_type", ["mobile", "desktop"], False),
        ("customer type", ["new", "known"], False),
        ("clk", [0, 1, 0], True),
        ("verified", ["True", "False"], True),
        ("overall", [5.0, 1.0, 3.0], True),
        ("Book-Rating", [0, 8, 10], True),
        ("Retoure", ["J", "N", "N"], True),
        ("Storno", ["X", None, None], True),
        ("Storno", ["X", "X", "X"], False),
        ("clk", [1, 1, 1], False),
        ("city", ["Bonn", "Ulm"], False),
        ("rate", [5, 1, 3], True),
        ("hourly_rate", [15.0, 20.0, 15.0], False),
        ("taxRate", [0.07, 0.19, 0.19], False),
        ("rating", list(range(40)), False),
        ("event_date", ["20240315", "20240316"], False),
        ("action_at", ["2024-03-15 10:30", "2024-03-15 11:30"], False),
        ("event_time", [1_709_292_077, 1_709_292_077, 1_709_292_247], False),
    ],
)
def test_what_tells_events_apart_is_told(name: str, values: list[Any], is_told: bool) -> None:
    found = "".join(told_apart([Column(name, pd.Series(values))]))
    assert (f"'{name}' has " in found and "data.targets" in found) is (found != "") is is_told
