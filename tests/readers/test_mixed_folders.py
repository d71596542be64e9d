"""Folders that hold files of Parquet and of CSV, which have types and have none."""

from __future__ import annotations

import pandas as pd
import pytest

from tests.worlds.tables import MakeConfig


@pytest.mark.parametrize(("typed", "untyped"), [("a", "b"), ("b", "a")])
def test_files_of_csv_beside_parquet_are_read_alike_in_any_order(
    make_config: MakeConfig, events: pd.DataFrame, items: pd.DataFrame, typed: str, untyped: str
) -> None:
    config = make_config(events, items)
    for table in (config.data.interactions, config.data.items):
        table.unlink()
        table.mkdir()
    rows = pd.DataFrame({"session_id": [1.0, 1.0, 2.5], "item_id": 10, "position": 1})
    rows.to_parquet(config.data.interactions / f"{typed}.parquet")
    (config.data.interactions / f"{untyped}.csv").write_text("session_id,item_id,position\n1.0,11.0,2\n")
    items.assign(item_id=10).iloc[:1].to_parquet(config.data.items / f"{typed}.parquet")
    items.assign(item_id=11.0).iloc[:1].to_csv(config.data.items / f"{untyped}.csv")
    source = config.data.open(0)
    assert sorted(source.items(["title"])["item_id"]) == [10, 11]
    found = pd.concat(source.interactions())["session_id"]
    assert found.value_counts().to_dict() == {"1": 3, 2.5: 1}, "the check refuses fractions"
