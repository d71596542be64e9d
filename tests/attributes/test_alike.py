"""Categories that differ by capitals alone, and codes that are one number."""

from __future__ import annotations

import pandas as pd
import pytest

from m2trec_merlin.attributes import parse_attribute

WOMEN = "'Women' (3) and 'WOMEN' (1) are two values; 1 of 3 differ from another one by small and capital"
FORMS = "{} are two values; 1 of 2 differ from another one by capitals or the form of"


@pytest.mark.parametrize(
    ("kind", "values", "told"),
    [
        ("categorical", ["Women", "WOMEN", "Women", "Women", "Men", None], [WOMEN]),
        ("multi_categorical", ["Women|Men", "WOMEN", "Women", "Women"], [WOMEN]),
        ("multi_categorical", [["Women", "Men"], ["WOMEN", "Women"], ["Women"]], [WOMEN]),
        ("categorical", ["Men's", "Men\u2019s"], [FORMS.format("'Men's' (1) and 'Men\u2019s' (1)")]),
        ("categorical", ["T-Shirt", "t\u2013shirt"], [FORMS.format("'T-Shirt' (1) and 't\u2013shirt' (1)")]),
        ("categorical", ["TV", "\uff34\uff36"], [FORMS.format("'TV' (1) and '\uff34\uff36' (1)")]),
        ("categorical", ["STRASSE", "Stra\u00dfe"], [FORMS.format("'STRASSE' (1) and 'Stra\u00dfe' (1)")]),
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


@pytest.mark.parametrize(
    ("kind", "values", "told"),
    [
        ("categorical", ["1.1", "1.2", "1.10"], ["'1.1' and '1.10'"]),
        ("categorical", ["100000", "7", " 1E5"], ["'100000' and '1E5'"]),
        ("categorical", ["0E1", "0E2"], ["'0E1' and '0E2'"]),
        ("categorical", ["1.10", 1.1], ["'1.10' and '1.1'"]),
        ("multi_categorical", ["1.1|1.2", "1.10"], ["'1.1' and '1.10'"]),
        ("multi_categorical", [["1.1"], ["1.2", "1.10"]], ["'1.1' and '1.10'"]),
        ("categorical", ["1.10", "1.20", "1.00"], []),
        ("categorical", ["12", "12.0", "12.00", "-0", "0.0", "12.5"], []),
        ("categorical", ["v1.1", "v1.10", "1.1.1", "1.1.10"], []),
        ("categorical", ["True", "true", "2024-01-05", "2024-01-05T00:00:00Z", "a b", "a  b"], []),
        ("categorical", [1.1, 2.5, 10000.0, None], []),
        ("numeric", ["1.1", "1.10"], []),
        ("text", ["1.1", "1.10"], []),
    ],
)
def test_texts_that_are_one_number_are_told(kind: str, values: list[object], told: list[str]) -> None:
    attribute = parse_attribute(name="section", kind=kind)
    doubts = attribute.doubts(pd.Series(values, dtype=object).dropna())
    assert [doubt.partition(" count as")[0] for doubt in doubts if "one number" in doubt] == told
