"""Folders that hold files of Parquet and of CSV, which have types and have none."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from m2trec_merlin.config import Config
from m2trec_merlin.errors import DataError
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
@pytest.mark.parametrize(
    ("exact", "rounded"),
    [
        ("int64", "float64"),
        ("int64", "float32"),
        ("float64", "float32"),
        ("str", "float64"),
        ("decimal", "float32"),
    ],
)
@pytest.mark.parametrize("chunk_sessions", [100, 1])
def test_rounded_ids_beside_exact_ones_are_told_however_many(
    make_config: MakeConfig, column: str, exact: str, rounded: str, chunk_sessions: int
) -> None:
    first = 2 ** (np.finfo(rounded).nmant + 1)
    rows = pd.DataFrame({"session_id": range(50), "item_id": 1, "position": 0})
    config = _of_two_types(make_config, rows, column, first, {"b": rounded, "a": exact}, chunk_sessions)
    with pytest.raises(DataError) as caught:
        list(config.data.open(0).interactions())
    shown = (rows[column].head() + first).astype(rounded)
    places = ", ".join(f"b.parquet row {row + 1} ({value})" for row, value in shown.items())
    assert f"column '{column}': may have lost digits in 50 rows: {places}, ...; " in str(caught.value)


@pytest.mark.parametrize("first", [0, 2**24])
@pytest.mark.parametrize("exact", ["int64", "float64"])
def test_rounded_places_beside_exact_ones_are_told(make_config: MakeConfig, first: int, exact: str) -> None:
    rows = pd.DataFrame({"session_id": 1, "item_id": 1, "position": range(50)})
    config = _of_two_types(make_config, rows, "position", first, {"a": exact, "b": "float32"})
    source = config.data.open(0)
    if first:
        message = r"'position': may have lost digits in 50 rows: b\.parquet row 1 "
        with pytest.raises(DataError, match=message):
            list(source.interactions())
    else:
        assert pd.concat(source.interactions())["position"].tolist() == [*range(50), *range(50)]


@pytest.mark.parametrize("kind", ["float32", "float64"])
def test_rounded_ids_of_items_beside_exact_ones_are_told(make_config: MakeConfig, kind: str) -> None:
    rows = pd.DataFrame({"session_id": 1, "item_id": range(50), "position": 0})
    first = 2 ** (np.finfo(kind).nmant + 1)
    config = _of_two_types(make_config, rows, "item_id", first, {"a": "int64", "b": kind})
    data = config.data.model_copy(update={"items": config.data.interactions})
    for each in (data, config.data.model_copy(update={"items": None})):
        with pytest.raises(DataError, match=r"'item_id': may have lost digits in 50 rows: b\.parquet row 1 "):
            each.open(0).items([])


def _of_two_types(
    make_config: MakeConfig,
    rows: pd.DataFrame,
    column: str,
    first: int,
    kinds: dict[str, str],
    chunk_sessions: int = 100,
) -> Config:
    """Return a configuration of a folder of events, with a column of another type in each file."""
    config = make_config(rows, rows[["item_id"]], chunk_sessions=chunk_sessions)
    config.data.interactions.unlink()
    config.data.interactions.mkdir()
    for name, kind in kinds.items():
        numbers = rows[column] + first
        values = numbers.map(Decimal) if kind == "decimal" else numbers.astype(kind)
        rows.assign(**{column: values}).to_parquet(config.data.interactions / f"{name}.parquet")
    return config
