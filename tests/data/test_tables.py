from __future__ import annotations

import datetime

import numpy as np
import pandas as pd
import pytest

from m2trec_merlin.attributes import parse_attribute
from m2trec_merlin.data.tables import canonical_items, order_events
from m2trec_merlin.readers.canonical import (
    KnownItems,
    digits_to_integers,
    normalise_ids,
    parse_positions,
    parse_timestamps,
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
        (pd.Series(["x", "y"], dtype="category"), "object", ["x", "y"]),
    ],
)
def test_ids_are_whole_numbers_or_text(values: pd.Series, dtype: str, expected: list[object]) -> None:
    ids = normalise_ids(values)
    assert str(ids.dtype) == dtype
    assert [None if pd.isna(v) else v for v in ids] == expected


def test_digits_become_numbers_only_if_all_round_trip() -> None:
    assert digits_to_integers(pd.Series(["12", "-3", None])).dropna().tolist() == [12, -3]
    for text in ("007", "1.0", "x", "9" * 30):
        assert digits_to_integers(pd.Series(["12", text])).tolist() == ["12", text]


def test_positions_that_are_no_finite_numbers() -> None:
    parsed = parse_positions(pd.Series(["1", "2.5", "three", None, "inf"]))
    assert parsed.isna().tolist() == [False, False, True, True, True]
    assert parsed[1] == 2.5


@pytest.mark.parametrize(
    ("value", "time_format", "expected"),
    [
        ("2017-01-02", "ISO8601", "2017-01-02"),
        ("2017-01-02T03:04:05+01:00", "ISO8601", "2017-01-02 02:04:05"),
        (datetime.date(2017, 1, 2), "ISO8601", "2017-01-02"),
        (pd.Timestamp("2017-01-02", tz="UTC"), "ISO8601", "2017-01-02"),
        ("02.01.2017", "%d.%m.%Y", "2017-01-02"),
        ("1483315200", "s", "2017-01-02"),
        (1483315200000, "ms", "2017-01-02"),
        ("2017-13-02", "ISO8601", None),
        ("yesterday", "s", None),
        (None, "ISO8601", None),
    ],
)
def test_timestamps(value: object, time_format: str, expected: str | None) -> None:
    parsed = parse_timestamps(pd.Series([value]), time_format)
    assert parsed.dtype == "datetime64[us]"
    assert parsed[0] == pd.Timestamp(expected) if expected else pd.isna(parsed[0])


def test_times_with_a_zone_become_utc() -> None:
    times = pd.Series(pd.to_datetime(["2024-06-01 12:00", None])).dt.tz_localize("Europe/Berlin")
    parsed = parse_timestamps(times)
    assert parsed.dtype == "datetime64[us]"
    assert parsed[0] == pd.Timestamp("2024-06-01 10:00") and pd.isna(parsed[1])


def test_one_bad_timestamp_does_not_spoil_the_others() -> None:
    parsed = parse_timestamps(pd.Series(["2017-01-01", "x", "2017-01-01 10:00:00"]))
    assert parsed.isna().tolist() == [False, True, False]


@pytest.mark.parametrize("known", [pd.Series([5, 7], dtype="Int64"), pd.Series(["5", "7"])])
@pytest.mark.parametrize("asked", [pd.Series([7, 6], dtype="Int64"), pd.Series(["7", "6"])])
def test_items_are_found_whatever_type_their_ids_have(known: pd.Series, asked: pd.Series) -> None:
    assert KnownItems(known).positions(asked).tolist() == [1, -1]


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
