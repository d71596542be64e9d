"""Categories that differ by capitals alone."""

from __future__ import annotations

import pandas as pd
import pytest

from m2trec_merlin.attributes import parse_attribute

WOMEN = "'Women' (3) and 'WOMEN' (1) are two values; 1 of 3 differ from another one by small and capital"


@pytest.mark.parametrize(
    ("kind", "values", "told"),
    [
        ("categorical", ["Women", "WOMEN", "Women", "Women", "Men", None], [WOMEN]),
        ("multi_categorical", ["Women|Men", "WOMEN", "Women", "Women"], [WOMEN]),
        ("multi_categorical", [["Women", "Men"], ["WOMEN", "Women"], ["Women"]], [WOMEN]),
        ("categorical", ["Women", "Men", None], []),
        ("categorical", [None, None], []),
        ("categorical", [*["Women"] * 200, "WOMEN"], []),
        ("categorical", [3, 5], []),
        ("text", ["Women", "WOMEN"], []),
    ],
)
def test_they_are_told_where_they_are_many(kind: str, values: list[object], told: list[str]) -> None:
    attribute = parse_attribute(name="for_whom", kind=kind)
    doubts = list(attribute.doubts(pd.Series(values, dtype=object).dropna()))
    assert [doubt.partition(" letters")[0] for doubt in doubts] == told
