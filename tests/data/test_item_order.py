"""Whether events stand in the order of their items."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from m2trec_merlin.data.counting import check_data
from tests.worlds.tables import MakeConfig

N_ITEMS = 30
WORDS = [f"{'zyxwvutsrqponmlkjihgfedcba'[n % 26]}{n}" for n in range(N_ITEMS)]
ITEMS = pd.DataFrame({"item_id": np.arange(N_ITEMS), "name": WORDS})


def sessions(by: str | None, days: int | None = None) -> pd.DataFrame:
    """Return 200 sessions of four items each, sorted by a column of the items, or by none."""
    random = np.random.default_rng(0)
    drawn = [random.choice(N_ITEMS, 4, replace=False) for _ in range(200)]
    if by is not None:
        drawn = [ITEMS.iloc[some].sort_values(by)["item_id"].to_numpy() for some in drawn]
    events = pd.DataFrame({"session_id": np.repeat(np.arange(200), 4), "item_id": np.concatenate(drawn)})
    if days is not None:
        start = pd.Timestamp("2026-01-01")
        steps = pd.to_timedelta(events.index % 4 // days, "D") if days else pd.Timedelta(0)
        events["time"] = start + pd.to_timedelta(events["session_id"], "h") + steps
    return events


def notices(make_config: MakeConfig, events: pd.DataFrame, **data: Any) -> list[str]:
    attributes = [{"name": "name", "kind": "categorical"}]
    found = check_data(make_config(events, ITEMS, attributes=attributes, **data)).data.notices
    return [notice for notice in found if "sorted" in notice]


@pytest.mark.parametrize("by", ["item_id", "name"])
def test_sessions_sorted_by_a_column_of_the_items_are_told(make_config: MakeConfig, by: str) -> None:
    [notice] = notices(make_config, sessions(by))
    assert notice.startswith(
        f"sessions are sorted by '{by}': where no time tells events apart, 100 % of changes"
    )
    assert "go up. A model" in notice and "set data.options.shuffle: true" in notice
    backwards = sessions(by).iloc[::-1].reset_index(drop=True)
    [notice] = notices(make_config, backwards)
    assert "changes go down. A model" in notice


def test_an_order_of_its_own_is_none_of_the_items(make_config: MakeConfig) -> None:
    assert notices(make_config, sessions(None)) == []
    assert notices(make_config, sessions("item_id"), options={"shuffle": True}) == []


def test_places_that_count_sorted_rows_are_no_order(make_config: MakeConfig) -> None:
    events = sessions("item_id").assign(line=np.arange(800))
    assert len(notices(make_config, events, columns={"order": "line"})) == 1


def test_times_that_differ_are_an_order_and_equal_ones_are_none(make_config: MakeConfig) -> None:
    columns = {"order": "time"}
    assert notices(make_config, sessions("item_id", days=1), columns=columns) == [], (
        "a course, lesson by lesson"
    )
    assert len(notices(make_config, sessions("item_id", days=2), columns=columns)) == 1, "two a day"


def test_few_events_say_nothing(make_config: MakeConfig) -> None:
    assert notices(make_config, sessions("item_id").head(160)) == []
