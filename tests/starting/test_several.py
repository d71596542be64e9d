"""Rows that hold several events are told."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from m2trec_merlin.errors import DataError
from m2trec_merlin.readers.files.dialect import Dialect
from m2trec_merlin.starting.look import look_at
from m2trec_merlin.starting.run import start
from m2trec_merlin.starting.several import rows_of_several
from tests.starting.conftest import LookAt

ITEMS = [f"B{i:03d}" for i in range(60)]
PAIRS = list(pairwise(ITEMS))


@pytest.mark.parametrize(
    "values",
    [
        [f"{one} {other}" for one, other in PAIRS],
        [f"['{one}' '{other}']" for one, other in PAIRS],
        [f"{one}|{other}|?" for one, other in PAIRS],
        [f"[{{'aid': '{one}', 'ts': 1}}, {{'aid': '{other}', 'ts': 2}}]" for one, other in PAIRS],
    ],
)
def test_lists_that_are_written_as_text(look: LookAt, values: list[str]) -> None:
    clicks = look(pd.DataFrame({"user": range(59), "history": values, "other": "a text B1"}), "clicks")
    (told,) = rows_of_several(clicks, look(pd.DataFrame({"id": ITEMS}), "items")).values()
    assert "'history' holds several items in a row" in told and "write a row for each" in told


@pytest.mark.parametrize("typed", [True, False])
def test_lists_of_ids_and_of_events(look: LookAt, tmp_path: Path, typed: bool) -> None:
    items = look(pd.DataFrame({"aid": range(1000, 1060)}), "items")
    values: list[Any] = [[1000 + i, 1001 + i] for i in range(59)]
    if not typed:
        values = [[{"aid": aid, "ts": 1} for aid in pair] for pair in values]
    pd.DataFrame({"session": range(59), "events": values}).to_parquet(tmp_path / "nested.parquet")
    (told,) = rows_of_several(look_at(tmp_path / "nested.parquet", Dialect(), 1000), items).values()
    assert (
        "'events' holds several items in a row" if typed else "'events' holds items in its field 'aid'"
    ) in told


@pytest.mark.parametrize(
    ("in_list", "to_do"), [(True, "write a row for each"), (False, "make that a column")]
)
def test_structures_without_ids_describe_the_event(
    look: LookAt, tmp_path: Path, in_list: bool, to_do: str
) -> None:
    """As the parameters of an event of Google Analytics, beside its items."""
    items = look(pd.DataFrame({"id": range(100)}), "items")
    params = [
        [{"key": "number", "value": {"int": n % 4}}, {"key": "of", "value": {"int": n % 3}}]
        for n in range(90)
    ]
    seen = [{"item_id": 7 * n % 100, "quantity": n % 3} for n in range(90)]
    table = {
        "user": range(90),
        "event_params": params,
        "items": [[each] for each in seen] if in_list else seen,
    }
    pd.DataFrame(table).to_parquet(tmp_path / "log.parquet")
    told = rows_of_several(look_at(tmp_path / "log.parquet", Dialect(), 1000), items)
    assert [*told] == ["items"] and f"'items' holds items in its field 'item_id': {to_do}" in told["items"]


def test_single_values_and_short_lists_of_others_are_none(look: LookAt) -> None:
    items = look(pd.DataFrame({"id": ITEMS}), "items")
    clicks = {"item": ITEMS, "tags": ["red|cheap"] * 60, "seen": [f"{i} -" for i in ITEMS], "n": range(60)}
    assert not rows_of_several(look(pd.DataFrame(clicks), "clicks"), items)


def test_times_are_no_lists_of_numbers(look: LookAt) -> None:
    items = look(pd.DataFrame({"track": range(1, 61)}), "items")
    times = pd.date_range("2024-01-01 00:13:45", periods=60, freq="7min").strftime("%Y-%m-%d %H:%M:%S")
    assert not rows_of_several(look(pd.DataFrame({"playlist": range(60), "time": times}), "clicks"), items)


@pytest.mark.parametrize("column", ["user", "next_item"])
def test_they_are_refused_also_where_a_few_are_single_or_the_last_item_stands_apart(
    tmp_path: Path, column: str
) -> None:
    items = pd.DataFrame({"sku": ITEMS, "name": [f"red lamp number {item}" for item in ITEMS]})
    histories = [" ".join(ITEMS[i % 50 : i % 50 + 1 + i % 4]) for i in range(300)]
    columns = {"user": [i // 5 for i in range(300)], "next_item": [ITEMS[i % 60] for i in range(300)]}
    table = pd.DataFrame({"history": histories, column: columns[column]})
    table.to_csv(tmp_path / "clicks.csv", index=False)
    items.to_csv(tmp_path / "items.csv", index=False)
    with pytest.raises(DataError, match=r"'history' holds several items in a row, .*: write a row for each"):
        start(tmp_path / "clicks.csv", tmp_path / "items.csv", tmp_path / "shop.yaml")
    assert not (tmp_path / "shop.yaml").exists()


@pytest.mark.parametrize("is_timed", [False, True])
def test_a_history_beside_items_that_nothing_orders_is_told(tmp_path: Path, is_timed: bool) -> None:
    """As in the files of RecBole, in which the longest history of a user comes first."""
    items = pd.DataFrame({"sku": ITEMS, "name": [f"red lamp number {item}" for item in ITEMS]})
    seen = [ITEMS[i % 50 : i % 50 + 6] for i in range(60)]
    rows = [(i, " ".join(seen[i][:n]), seen[i][n]) for i in range(60) for n in range(5, 0, -1)]
    table = pd.DataFrame(rows, columns=["user", "history", "sku"])
    if is_timed:
        table["time"] = pd.date_range("2024-03-01 09:00:13", periods=len(table), freq="7min")
    table.to_csv(tmp_path / "clicks.csv", index=False)
    items.to_csv(tmp_path / "items.csv", index=False)
    start(tmp_path / "clicks.csv", tmp_path / "items.csv", tmp_path / "shop.yaml")
    told = "nothing orders events, while rows hold several items in 'history', beside 'sku'"
    assert (told in (tmp_path / "shop.yaml").read_text()) is not is_timed
