from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from m2trec_merlin.errors import ServerError
from m2trec_merlin.serving.runtime.item_table import ItemTable


@pytest.fixture
def table() -> ItemTable:
    return ItemTable(
        pa.table(
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
    )


def passing(table: ItemTable, **filters: Any) -> list[str]:
    mask = table.mask(filters, [])
    assert mask is not None and not mask[0]
    return table.ids(np.flatnonzero(mask))


def test_ids_titles_rows_and_shares(table: ItemTable) -> None:
    assert table.ids(np.array([3, 1])) == ["c", "a"]
    assert table.titles(np.array([2])) == ["Bread"]
    assert table.rows_of(["d", "unknown", "a"]) == [4, 1]
    assert table.shares.tolist() == pytest.approx([0, 0.6, 0.3, 0.1, 0])


def test_no_filter_is_no_mask(table: ItemTable) -> None:
    assert table.mask({}, []) is None


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
        ({"price": {"min": 2, "max": 20}}, ["c", "d"]),
        ({"department": "produce", "price": {"min": 2}}, ["d"]),
    ],
)
def test_filters(table: ItemTable, filters: dict[str, Any], expected: list[str]) -> None:
    assert passing(table, **filters) == expected


def test_a_value_that_no_item_has_is_noted(table: ItemTable) -> None:
    notes: list[str] = []
    mask = table.mask({"department": ["produce", "prodce"]}, notes)
    assert mask is not None and mask.sum() == 2
    assert notes == ["options.filters.department: no item has the value 'prodce'"]


def test_unusable_filters_are_reported_together(table: ItemTable) -> None:
    filters = {"departmnt": "x", "price": "cheap", "tags": {"min": 1}, "year": None}
    with pytest.raises(ServerError) as error:
        table.mask(filters, [])
    assert all(f"options.filters.{name}: " in str(error.value) for name in filters)
    assert "accepted: department, year, tags, price" in str(error.value)


@pytest.mark.parametrize("wanted", [{}, {"from": 1}, {"min": "1"}, True, [None]])
def test_unusable_numbers(table: ItemTable, wanted: Any) -> None:
    with pytest.raises(ServerError, match=r"options\.filters\.price: expected a number"):
        table.mask({"price": wanted}, [])
