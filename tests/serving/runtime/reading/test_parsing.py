"""Which events are of the same described item, and what is said of events that hold no item."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from m2trec_merlin.rows import RowsOfIds
from m2trec_merlin.serving.runtime.reading.parsing import RawSession, SessionParser


def test_attributes_of_an_event_without_an_item_are_told() -> None:
    parser = SessionParser(["price"], 5, None)
    said = RawSession(["a", "", "b"], ["", "", ""], (), ['{"type": "buy"}'] * 3)
    parsed = parser.parse(RowsOfIds(["a", "b"]), said)
    assert parsed.notes == ["event_attributes[1]: ignored, since there is no item"]
    np.testing.assert_array_equal(parsed.rows, [1, 2])


@pytest.mark.parametrize(
    ("one", "other", "are_same"),
    [
        ({"title": "oats", "price": 5}, {"price": 5, "title": "oats"}, True),
        ({"title": "oats", "stock": 1}, {"title": "oats", "stock": 2}, True),
        ({"title": "oats", "price": None}, {"title": "oats"}, True),
        ({"title": "oats", "price": 5}, {"title": "oats"}, False),
        ({"title": "oats", "price": 5}, {"title": "oats", "price": "5"}, False),
    ],
)
def test_described_items_are_the_same_if_the_model_reads_the_same_of_them(
    one: dict[str, Any], other: dict[str, Any], are_same: bool
) -> None:
    parser = SessionParser(["title", "price"], 5, None)
    said = [json.dumps(one), "", json.dumps(other)]
    rows = parser.parse(RowsOfIds(["a"]), RawSession(["", "a", ""], said)).rows
    np.testing.assert_array_equal(rows, [-1, 1, -1 if are_same else -2])


def test_items_of_different_ids_are_different_whatever_describes_them() -> None:
    parser = SessionParser(["title"], 5, None)
    parsed = parser.parse(RowsOfIds(["a"]), RawSession(["x", "y", "x"], ['{"title": "oats"}'] * 3))
    np.testing.assert_array_equal(parsed.rows, [-1, -2, -1])
