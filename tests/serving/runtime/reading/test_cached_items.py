from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from m2trec_merlin.encoded import EncodedColumn, Field, Layout
from m2trec_merlin.errors import DataError
from m2trec_merlin.serving.runtime.reading.cached_items import CachedItemEncoder, NewItem

PRICE = Field("price", Layout.NUMBERS)


class Encoder:
    """Encodes a price as its double, and keeps a list of what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[list[float]] = []

    def encode(self, items: Sequence[dict[str, Any]]) -> list[NewItem]:
        self.asked.append([item["price"] for item in items])
        if min(self.asked[-1]) < 0:
            raise DataError("attribute 'price'", ["below zero"])
        return [
            NewItem(
                {"price": EncodedColumn(PRICE, np.array([price], np.float32) * 2)}, [f"{price} is ignored"]
            )
            for price in self.asked[-1]
        ]


@pytest.fixture
def encoder() -> Encoder:
    return Encoder()


def encode(remembered: CachedItemEncoder, *prices: float, **more: object) -> list[tuple[float, list[str]]]:
    found = remembered.encode([{"price": price, **more} for price in prices])
    return [(float(item.encoded["price"].values[0]), item.ignored) for item in found]


def test_an_item_is_encoded_once(encoder: Encoder) -> None:
    remembered = CachedItemEncoder(encoder, ["price"])
    expected = [(2 * price, [f"{price} is ignored"]) for price in (1, 2, 1, 3)]
    assert encode(remembered, 1, 2, 1, 3) == expected
    assert encode(remembered, 3, 1) == [expected[3], expected[0]]
    assert encode(remembered, 1, 5)[1][0] == 10
    assert encoder.asked == [[1, 2, 3], [5]]


def test_what_the_result_does_not_depend_on_makes_no_other_item(encoder: Encoder) -> None:
    remembered = CachedItemEncoder(encoder, ["price"])
    encode(remembered, 1, colour="red")
    encode(remembered, 1, colour="blue")
    assert encoder.asked == [[1]]


@pytest.mark.parametrize("one_other", [(1, 1.0), (1, True), (0, -0.0), (2**60, 2**60 + 1)])
def test_values_that_json_tells_apart_are_told_apart(
    encoder: Encoder, one_other: tuple[float, float]
) -> None:
    remembered = CachedItemEncoder(encoder, ["price"])
    for value in one_other:
        encode(remembered, value)
    assert encoder.asked == [[value] for value in one_other]


def test_those_asked_for_longest_ago_are_forgotten(encoder: Encoder) -> None:
    remembered = CachedItemEncoder(encoder, ["price"], most=25_000)
    encode(remembered, 1, 2)
    encode(remembered, 1)
    encode(remembered, 3)  # 2 goes
    assert encode(remembered, 1, 3) == [(2, ["1 is ignored"]), (6, ["3 is ignored"])]
    assert encode(remembered, 4, 5, 6, 4)[3][0] == 8
    encode(remembered, 2)
    assert encoder.asked == [[1, 2], [3], [4, 5, 6], [2]]


def test_long_items_take_the_room_of_many(encoder: Encoder) -> None:
    remembered = CachedItemEncoder(encoder, ["price", "text"], most=100_000)
    for price in range(1, 6):
        encode(remembered, price, text="short")
    encode(remembered, 6, text="x" * 15_000)  # all but one of the others go
    encode(remembered, 5, text="short")
    assert encoder.asked == [[1], [2], [3], [4], [5], [6]]
    encode(remembered, 4, text="short")
    encode(remembered, 7, text="x" * 50_000)  # too long to be remembered at all
    assert encode(remembered, 7, text="x" * 50_000) == [(14, ["7 is ignored"])]
    assert encoder.asked[6:] == [[4], [7], [7]]


def test_nothing_of_items_that_cannot_be_encoded_is_remembered(encoder: Encoder) -> None:
    remembered = CachedItemEncoder(encoder, ["price"])
    for _ in range(2):
        with pytest.raises(DataError):
            encode(remembered, 1, -1)
    assert encode(remembered, 1) == [(2, ["1 is ignored"])]
    assert encoder.asked == [[1, -1], [1, -1], [1]]
