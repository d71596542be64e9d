from __future__ import annotations

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from m2trec_merlin.attributes import parse_attribute
from m2trec_merlin.data.tables import canonical_items, order_events
from m2trec_merlin.readers.canonical import (
    KnownItems,
    digits_to_integers,
    normalise_ids,
)


@pytest.mark.parametrize(
    ("values", "dtype", "expected"),
    [
        (pd.Series([3, 1], dtype="int32"), "Int64", [3, 1]),
        (pd.Series([3.0, None]), "Int64", [3, None]),
        (pd.Series(["007", "", None]), "object", ["007", None, None]),
        (pd.Series([2**63], dtype="uint64"), "object", [str(2**63)]),
        (pd.Series([1e300, 2.0]), "object", ["1e+300", "2.0"]),
        (pd.Series(["a", 5], dtype=object), "object", ["a", "5"]),
        (pd.Series([Decimal("7.00"), Decimal("-8"), None]), "object", ["7", "-8", None]),
        (pd.Series([Decimal("7" * 29), Decimal("8" * 36 + ".00")]), "object", ["7" * 29, "8" * 36]),
        (pd.Series([2**60 + 1, 7.0, None], dtype=object), "object", [str(2**60 + 1), "7", None]),
        (pd.Series(["a", " ", "\t", " b"]), "object", ["a", None, None, " b"]),
        (pd.Series(["x", "y"], dtype="category"), "object", ["x", "y"]),
    ],
)
def test_ids_are_whole_numbers_or_text(values: pd.Series, dtype: str, expected: list[object]) -> None:
    ids = normalise_ids(values)
    assert str(ids.dtype) == dtype
    assert [None if pd.isna(v) else v for v in ids] == expected


def test_digits_become_numbers_only_if_all_are_whole() -> None:
    assert digits_to_integers(pd.Series(["12", "-3", None])).dropna().tolist() == [12, -3]
    assert digits_to_integers(pd.Series(["12.0", "-3.0", None])).dropna().tolist() == [12, -3]
    assert digits_to_integers(pd.Series(["12", "-3.0", None])).dropna().tolist() == [12, -3]
    lost = ("1e+05", "1.2E+07", "4.00638E+12", "1.25e+01", "1e5", "1e+999")
    for text in (*lost, "007", "1.5", "1.00", "x", "9" * 30, "1٣"):
        assert digits_to_integers(pd.Series(["12", text])).tolist() == ["12", text]


@pytest.mark.parametrize("known", [pd.Series([5, 7], dtype="Int64"), pd.Series(["5", "7"])])
@pytest.mark.parametrize("asked", [pd.Series([7, 6], dtype="Int64"), pd.Series(["7", "6"])])
def test_items_are_found_whatever_type_their_ids_have(known: pd.Series, asked: pd.Series) -> None:
    assert KnownItems(known).positions(asked).tolist() == [1, -1]


def test_whole_numbers_are_found_though_gaps_made_decimals_of_them() -> None:
    asked = pd.Series(["7.0", None, "7.5", "6.0"], dtype=object)
    assert KnownItems(pd.Series([5, 7], dtype="Int64")).positions(asked).tolist() == [1, -1, -1, -1]
    assert KnownItems(pd.Series(["7", "v7.0"])).positions(asked).tolist() == [-1, -1, -1, -1]


@pytest.mark.parametrize("known", ["100000", "1e+05"])
@pytest.mark.parametrize("asked", ["100000", "1e+05"])
def test_an_id_that_r_shortens_is_that_of_all_digits(known: str, asked: str) -> None:
    others = [str(number) for number in range(1, 30)]
    items = KnownItems(digits_to_integers(pd.Series([known, *others])))
    found = items.positions(pd.Series(["99", asked, None, *others], index=[0, 0, 1, *range(29)]))
    assert found.tolist() == [-1, 0, -1, *range(1, 30)]


def test_missing_ids_are_unknown_items() -> None:
    known = KnownItems(pd.Series([5, None, 5], dtype="Int64"))
    assert len(known) == 1
    assert known.positions(pd.Series([None, 5], dtype="Int64")).tolist() == [-1, 0]
    assert KnownItems(pd.Series(["None", "nan"])).positions(pd.Series([None, None])).tolist() == [-1, -1]


@pytest.mark.parametrize("order", ["position", "timestamp", None])
def test_events_in_order_stay_as_they_are(order: str | None) -> None:
    raw = pd.DataFrame({"session_id": [7, 7, 7, 3, 3], "item_id": [3, 2, 1, 9, 8]})
    if order == "position":
        raw["position"] = [1, 1, 4, 0, 2]
    if order == "timestamp":
        raw["timestamp"] = pd.to_datetime([5, 5, 6, 1, 2], unit="s")
    known = KnownItems(pd.Series([1, 2, 3, 8, 9], dtype="Int64"))
    events = order_events(raw, known)
    assert events["session_id"].tolist() == [7, 7, 7, 3, 3]
    assert events["item_id"].tolist() == [3, 2, 1, 9, 8]
    assert events["position"].tolist() == [0, 1, 2, 0, 1]
    # The same events with one pair of sessions' events swapped need sorting, and come out alike.
    if order is not None:
        swapped = order_events(raw.iloc[[0, 1, 2, 4, 3]].reset_index(drop=True), known)
        pd.testing.assert_frame_equal(swapped, events)


def test_events_are_sorted_within_sessions_and_numbered_from_zero() -> None:
    raw = pd.DataFrame(
        {"session_id": ["b", "b", "b", "a", "a"], "item_id": [3, 2, 1, 9, 8], "position": [10, 5, 5, 2, 1]}
    )
    events = order_events(raw, KnownItems(pd.Series([1, 2, 3, 8, 9], dtype="Int64")))
    assert events["session_id"].tolist() == ["b", "b", "b", "a", "a"]
    assert events["item_id"].tolist() == [2, 1, 3, 8, 9]  # ties as in the source
    assert events["position"].tolist() == [0, 1, 2, 0, 1]


def test_timestamps_order_events_where_there_are_no_positions() -> None:
    raw = pd.DataFrame(
        {
            "session_id": [1, 1],
            "item_id": ["x", "y"],
            "timestamp": ["2020-02-01", "2020-01-01"],
            "split": "train",
        }
    )
    events = order_events(raw, KnownItems(pd.Series(["x", "y"])))
    assert events["item_id"].tolist() == ["y", "x"]
    assert events["timestamp"].dtype == "datetime64[us]" and events["split"].tolist() == ["train"] * 2


BIG = 2**53


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("position", [Decimal(BIG + 2), Decimal(BIG + 1), Decimal(BIG)]),
        ("position", [str(BIG + 2), f"{BIG + 1}.0", str(BIG)]),
        ("position", ["1.5", "1", "0.5"]),
        ("position", pd.array([BIG + 2, BIG + 1, BIG], dtype="Int64")),
        ("position", pd.array([2**63 + 2, 2**63 + 1, 2**63], dtype="UInt64")),
        ("timestamp", ["2024-01-05T08:00", "2024-01-05T03:00-05:00", "2024-01-05T07:59:59.999999999"]),
        ("timestamp", ["2024-01-05 00:00:00.000000002", "2024-01-05 00:00:00.000000001", "2024-01-05"]),
        ("timestamp", pd.to_datetime([2, 1, 0], unit="ns")),
    ],
)
def test_neighbours_are_told_apart_however_large_they_are(column: str, values: object) -> None:
    raw = pd.DataFrame({"session_id": [1, 1, 1], "item_id": ["c", "b", "a"], column: values})
    order = [2, 0, 1]
    events = order_events(raw.iloc[order].reset_index(drop=True), KnownItems(pd.Series(["a", "b", "c"])))
    # 08:00 and 03:00-05:00 are one instant, and keep the order of the source.
    expected = ["a", "c", "b"] if values[0] == "2024-01-05T08:00" else ["a", "b", "c"]  # type: ignore[index]
    assert events["item_id"].tolist() == expected
    if column == "timestamp":
        assert events["timestamp"].dtype == "datetime64[us]"


@pytest.mark.parametrize("missing", [None, np.nan])
def test_a_decimal_comma_is_read_where_an_attribute_says_so(missing: object) -> None:
    raw = pd.DataFrame({"item_id": [1, 2, 3, 4, 5], "price": ["1.234,50", "-0,5", missing, "7", "1.000"]})
    attribute = parse_attribute(name="price", kind="numeric", decimal=",")
    known = raw["price"][raw["price"].notna()]
    assert not any(fault.wrong.any() for fault in attribute.faults(known))
    prices = canonical_items(raw, [attribute])["price"]
    assert prices.dropna().tolist() == [1234.5, -0.5, 7, 1000] and prices.isna().tolist()[2]
    numbers = pd.DataFrame({"item_id": [1, 2], "price": [1.5, None]})
    assert canonical_items(numbers, [attribute])["price"][0] == 1.5


def test_canonical_items_have_typed_ids_first_and_numbers_as_numbers() -> None:
    raw = pd.DataFrame({"price": ["1.5", None], "item_id": pd.array([2, 1], dtype="Int64")}, index=[7, 8])
    items = canonical_items(raw, [parse_attribute(name="cost", kind="numeric", column="price")])
    assert items.columns.tolist() == ["item_id", "price"]
    assert items["item_id"].dtype == np.int64 and items["item_id"].tolist() == [2, 1]
    assert items["price"].dtype == np.float64 and items["price"][0] == 1.5


@pytest.mark.parametrize("decimal", [".", ","])
def test_a_column_that_several_read_is_there_as_it_stands(decimal: str) -> None:
    """Made a number for one attribute, 007 would be the category 7, and 1.299 a price of another shop."""
    point = {".": ".", ",": ""}[decimal]
    raw = pd.DataFrame({"item_id": [1, 2, 3], "size": ["007", f"1{point}299", "7"]})
    number = parse_attribute(name="number", kind="numeric", column="size", decimal=decimal)
    for others, title_column in (([parse_attribute(name="size", kind="categorical")], None), ([], "size")):
        items = canonical_items(raw, [number, *others], title_column)
        assert items["size"].tolist() == raw["size"].tolist()
        assert number.comparable(items["size"]).to_pylist() == [7, 1.299 if point else 1299, 7]
        assert [each.comparable(items["size"]).to_pylist() for each in others] == [list(raw["size"])] * len(
            others
        )


@pytest.mark.parametrize(
    ("values", "held"),
    [
        ([2**60 + 1, 1.5, None], [str(2**60 + 1), "1.5", None]),
        ([[2**60 + 1, 2], None, [1.5]], [[str(2**60 + 1), "2"], None, ["1.5"]]),
        ([1, 1.5, None], [1, 1.5, None]),
    ],
)
def test_values_that_no_type_holds_together_are_texts(values: list[object], held: list[object]) -> None:
    raw = pd.DataFrame({"item_id": [1, 2, 3], "size": pd.Series(values, dtype=object)})
    items = canonical_items(raw, [parse_attribute(name="size", kind="multi_categorical")])
    assert items["size"].where(items["size"].notna(), None).tolist() == held
