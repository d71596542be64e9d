from __future__ import annotations

import pytest

from m2trec_merlin.readers.near_ids import explain_unknown


@pytest.mark.parametrize(
    ("unknown", "known", "way"),
    [
        ("7 ", "7", "white space at its ends"),
        ("\ufeff7\u200b", "7", "characters that nobody sees"),
        ("cafe\u0301", "caf\u00e9", "the Unicode form of its letters"),
        ("007", "7", "leading zeros or a fraction"),
        ("7.0", "7", "leading zeros or a fraction"),
        ("7", "0007 ", "leading zeros or a fraction"),
        ("sku-7", "SKU-7", "small and capital letters"),
    ],
)
def test_the_way_in_which_ids_differ_is_named(unknown: str, known: str, way: str) -> None:
    expected = f"the items have {known!r}, which differs from {unknown!r} by {way}"
    assert explain_unknown(["nothing", unknown], ["other", known]) == expected


def test_nothing_is_said_of_ids_that_are_others() -> None:
    assert explain_unknown(["-7", "70", "7.5"], [7, 8]) == explain_unknown([], [7]) == ""
