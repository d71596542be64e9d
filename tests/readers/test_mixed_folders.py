"""Folders that hold files of Parquet and of CSV, which have types and have none."""

from __future__ import annotations

import pandas as pd
import pytest

from m2trec_merlin.readers.rounded import are_rounded_ids
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


@pytest.mark.parametrize("column", ["session_id", "item_id"])
@pytest.mark.parametrize("chunk_sessions", [100, 1])
def test_rounded_ids_beside_exact_ones_are_told_however_many(
    make_config: MakeConfig, events: pd.DataFrame, items: pd.DataFrame, column: str, chunk_sessions: int
) -> None:
    config = make_config(events, items, chunk_sessions=chunk_sessions)
    config.data.interactions.unlink()
    config.data.interactions.mkdir()
    rows = pd.DataFrame({"session_id": range(50), "item_id": 1, "position": 0})
    for name, kind in {"exact": "int64", "rounded": "float64"}.items():
        ids = (rows[column] + 2**54 + 1).astype(kind)
        rows.assign(**{column: ids}).to_parquet(config.data.interactions / f"{name}.parquet")
    found = pd.concat(config.data.open(0).interactions())[column]
    assert are_rounded_ids(found).sum() == 50
