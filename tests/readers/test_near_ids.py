from __future__ import annotations

from itertools import product

import pytest

from m2trec_merlin.readers.near_ids import _WAYS, _write, doubt_of, explain_unknown


@pytest.mark.parametrize(
    ("unknown", "known", "way"),
    [
        ("7 ", "7", "white space at its ends"),
        ("\ufeff7\u200b", "7", "characters that nobody sees"),
        ("cafe\u0301", "caf\u00e9", "the Unicode form of its letters"),
        ("007", "7", "leading zeros or a fraction"),
        ("7.0", "7", "leading zeros or a fraction"),
        ("7", "0007 ", "leading zeros or a fraction"),
        ("1,025", "1025", "a plus or marks between thousands"),
        ("1025", "1.025.000"[:5], "a plus or marks between thousands"),
        ("1\u00a0025\u00a0000", "+1025000", "a plus or marks between thousands"),
        ("sku-7", "SKU-7", "small and capital letters"),
    ],
)
def test_the_way_in_which_ids_differ_is_named(unknown: str, known: str, way: str) -> None:
    expected = f"the items have {known!r}, which differs from {unknown!r} by {way}"
    assert explain_unknown(["nothing", unknown], ["other", known]) == expected


@pytest.mark.parametrize("letters", ["aZ9_-", "a0", "7-", "\u017f\u212a7"])
def test_plain_ids_are_compared_as_others_are(letters: str) -> None:
    for text in map("".join, product(letters, repeat=4)):
        for other in (text.swapcase(), f"0{text}", f"+{text}", f"{text} ", f"{text}.0"):
            same = _write(text, len(_WAYS)) == _write(other, len(_WAYS))
            assert text == other or bool(explain_unknown([text], [other])) == same, (text, other)


def test_nothing_is_said_of_ids_that_are_others() -> None:
    assert explain_unknown(["-7", "70", "7.5", "1,02", "1,025,00"], [7, 8, 102, 102500]) == ""
    assert explain_unknown([], [7]) == ""


@pytest.mark.parametrize("odd", [" 7", "7\t", "7\u00a0", "7\u200b7", "\ufeff7"])
def test_ids_with_what_nobody_sees_are_named(odd: str) -> None:
    said = f"ids such as {odd!r} have white space at an end or characters that nobody sees"
    assert doubt_of(["7", None, 8, "7 7", odd, " x"]) == said
    assert doubt_of(["7", None, 8, "7 7", "\u0645\u06cc"]) == doubt_of([]) == ""
