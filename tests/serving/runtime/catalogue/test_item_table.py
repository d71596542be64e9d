from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from m2trec_merlin.serving.runtime.catalogue.item_table import ItemTable, StackedItems
from m2trec_merlin.serving.runtime.catalogue.outside import OutsideItems
from m2trec_merlin.serving.runtime.options import Draft
from m2trec_merlin.serving.runtime.options.filters import Filters

TABLE = pa.table(
    {
        "item_id": ["a", "b", "c", "d"],
        "title": ["Apple", "Bread", "Cheese", "Dates"],
        "train_count": [6, 3, 1, 0],
        "department": ["produce", "bakery", None, "produce"],
        "year": ["12", "2012", "12", None],
        "tags": pa.array([["red", "new"], [], ["new"], None], pa.list_(pa.string())),
        "price": pa.array([1.5, None, 20.0, 3.0]),
    }
)


@pytest.fixture(params=[[4], [1, 2, 1], [0, 3, 1]])
def table(request: pytest.FixtureRequest) -> ItemTable:
    """In one piece and in several, as Parquet has them."""
    starts = np.cumsum([0, *request.param])
    return ItemTable(
        pa.concat_tables([TABLE.slice(a, n) for a, n in zip(starts, request.param, strict=False)])
    )


def passing(table: ItemTable, **filters: Any) -> list[str]:
    """By the option, as a request would."""
    draft = Draft(table, np.zeros(0, np.int64), (), np.zeros(0, np.int64), [])
    Filters().apply(filters, draft)
    assert draft.allowed is not None and not draft.allowed[0]
    return table.ids(np.flatnonzero(draft.allowed))


def test_values_of_rows(table: ItemTable) -> None:
    rows = np.array([3, 1, 2])
    assert table.values("tags", rows) == [("new",), ("red", "new"), ()]
    assert table.values("department", rows) == [(), ("produce",), ("bakery",)]
    assert table.values("price", rows) == [(20.0,), (1.5,), ()]


def test_ids_titles_rows_and_shares(table: ItemTable) -> None:
    assert table.ids(np.array([3, 1])) == ["c", "a"]
    assert table.titles(np.array([2])) == ["Bread"]
    assert table.rows.known(["d", "unknown", "a"]) == [4, 1]
    assert table.shares.tolist() == pytest.approx([0, 0.6, 0.3, 0.1, 0])


def test_rows_with_a_title_are_found(table: ItemTable) -> None:
    assert table.titled(["Cheese", "cheese", "Apple", "Apple"]).tolist() == [1, 3]
    assert table.titled([]).tolist() == []


def changed(table: ItemTable) -> StackedItems:
    """Bread is sold in another department, cheese no more, and eggs are new."""
    more = pa.table(
        {
            "item_id": ["b", "e"],
            "title": ["Bread", "Eggs"],
            "train_count": [3, 0],
            "department": ["produce", "dairy"],
            "year": pa.array([None, None], pa.string()),
            "tags": pa.array([None, ["new"]], pa.list_(pa.string())),
            "price": pa.array([7.0, None]),
        }
    )
    return StackedItems(table, ItemTable(more), np.zeros(2, np.float32), ["c"])


def test_rows_of_items_that_were_removed_or_changed_are_no_items_any_more(table: ItemTable) -> None:
    assert table.live.tolist() == [False, True, True, True, True]
    items = changed(table)
    assert items.live.tolist() == [False, True, False, False, True, True, True]
    assert items.rows.known(["a", "b", "c", "d", "e"]) == [1, 5, 4, 6]
    assert items.titled(["Bread", "Eggs"]).tolist() == [2, 5, 6]
    outside = StackedItems(items, OutsideItems({"mine": {}}), np.zeros(1, np.float32))
    assert outside.live.tolist() == [*items.live, True] and outside.rows.row("mine") == 7
    assert outside.titled(["", "Dates"]).tolist() == [4]


def test_no_filter_is_no_mask(table: ItemTable) -> None:
    draft = Draft(table, np.zeros(0, np.int64), (), np.zeros(0, np.int64), [])
    Filters().apply({}, draft)
    assert draft.allowed is None


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"department": "produce"}, ["a", "d"]),
        ({"department": ["produce", "bakery"]}, ["a", "b", "d"]),
        ({"department": []}, []),
        ({"tags": "new"}, ["a", "c"]),
        ({"tags": ["red", "green"]}, ["a"]),
        ({"year": 12}, ["a", "c"]),
        ({"year": 12.0}, ["a", "c"]),
        ({"price": 3}, ["d"]),
        ({"price": [1.5, 20]}, ["a", "c"]),
        ({"price": {"max": 3}}, ["a", "d"]),
        ({"year": "12.0"}, ["a", "c"]),
        ({"year": " 2012 "}, ["b"]),
        ({"price": {"min": 2, "max": 20}}, ["c", "d"]),
        ({"department": "produce", "price": {"min": 2}}, ["d"]),
    ],
)
def test_filters(table: ItemTable, filters: dict[str, Any], expected: list[str]) -> None:
    assert passing(table, **filters) == expected


def test_a_number_that_no_item_has_is_noted(table: ItemTable) -> None:
    notes: list[str] = []
    assert table.passing("price", [3, 4.5, 5.0], "options.filters.price", notes).sum() == 1
    assert notes == ["options.filters.price: no item has the value 4.5, 5.0"]


def test_a_value_that_no_item_has_is_noted(table: ItemTable) -> None:
    notes: list[str] = []
    where = "options.filters.department"
    assert table.passing("department", ["produce", "prodce"], where, notes).sum() == 2
    assert notes == ["options.filters.department: no item has the value 'prodce'"]


@pytest.mark.parametrize(
    ("wanted", "passed", "unknown"),
    [
        ({"department": ["produce", "bakery"]}, ["a", "b", "d"], "'bakery'"),
        ({"department": ["dairy", "nonsense"]}, ["e"], "'nonsense'"),
        ({"tags": ["red", "new"]}, ["a", "e"], ""),
        ({"year": [12, "2012"]}, ["a"], "'2012'"),
        ({"price": [1.5, 20, 7]}, ["a", "b"], "20"),
        ({"price": {"min": 15}}, [], ""),
        ({"department": {"not": "bakery"}}, ["a", "b", "d", "e"], "'bakery'"),
    ],
)
def test_a_value_that_no_item_has_any_more_is_noted(
    table: ItemTable, wanted: dict[str, Any], passed: list[str], unknown: str
) -> None:
    items = changed(table)
    draft = Draft(items, np.zeros(0, np.int64), (), np.zeros(0, np.int64), [])
    Filters().apply(wanted, draft)
    assert draft.allowed is not None
    assert sorted(items.ids(np.flatnonzero(draft.allowed & items.live))) == passed
    [column] = wanted
    assert draft.notes == ([f"options.filters.{column}: no item has the value {unknown}"] if unknown else [])


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"tags": {"all": ["new", "red"]}}, ["a"]),
        ({"tags": {"all": ["new"]}}, ["a", "c"]),
        ({"tags": {"all": ["new"], "not": "red"}}, ["c"]),
        ({"tags": {"not": {"all": ["new", "red"]}}}, ["b", "c", "d"]),
        ({"department": {"not": "produce"}}, ["b", "c"]),
        ({"department": {"not": ["produce", "bakery"]}}, ["c"]),
        ({"price": {"not": 3}}, ["a", "b", "c"]),
        ({"price": {"not": {"min": 2, "max": 4}}}, ["a", "b", "c"]),
        ({"price": {"min": 1, "not": {"max": 2}}}, ["c", "d"]),
        ({"price": {"all": [3, "3.0"]}}, ["d"]),
    ],
)
def test_all_and_not(table: ItemTable, filters: dict[str, Any], expected: list[str]) -> None:
    assert passing(table, **filters) == expected
