from __future__ import annotations

from itertools import product

import pytest

from m2trec_merlin.readers.near_ids import (
    _WAYS,
    AlikeIds,
    _write,
    doubt_of,
    doubt_of_items,
    explain_unknown,
)


@pytest.mark.parametrize(
    ("unknown", "known", "way"),
    [
        ("7 ", "7", "white space at its ends"),
        ("\ufeff7\u200b", "7", "characters that nobody sees"),
        ("\u202a7\u202c", "7", "characters that nobody sees"),
        ('="007"', "007", "quotation marks"),
        ("7", "'7", "quotation marks"),
        ('"a b"', "a b", "quotation marks"),
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


@pytest.mark.parametrize("odd", [" 7", "7\t", "7\u00a0", "7\u200b7", "\ufeff7", "\u202a7"])
def test_ids_with_what_nobody_sees_are_named(odd: str) -> None:
    said = f"ids such as {odd!r} have white space at an end or characters that nobody sees"
    assert doubt_of(["7", None, 8, "7 7", odd, " x"]) == said
    assert doubt_of(["7", None, 8, "7 7", "\u0645\u06cc"]) == doubt_of([]) == ""


@pytest.mark.parametrize("odd", ['="007"', '"7"', "'7", "'a'"])
def test_ids_with_quotation_marks_are_named(odd: str) -> None:
    assert doubt_of(["7", odd]) == f"ids such as {odd!r} have quotation marks that belong to them"
    assert doubt_of(['7"', "o'clock", "=7"]) == ""


def _doubt(ids: list[object], others: int) -> str:
    alike = AlikeIds()
    for each in ids, [f"other {n}" for n in range(others)]:
        alike.add(each)
    return alike.doubt()


@pytest.mark.parametrize(
    ("one", "other", "way"),
    [
        ("AB-7", "ab-7", "small and capital letters"),
        ("cafe\u0301", "caf\u00e9", "the Unicode form of its letters"),
        ("007", "7", "leading zeros or a fraction"),
        ("0", "000", "leading zeros or a fraction"),
        ("7.0", "7", "leading zeros or a fraction"),
        ("-7.00", "-7", "leading zeros or a fraction"),
        ("\u00c4", "a\u0308", "small and capital letters"),
    ],
)
def test_ids_of_one_column_that_are_nearly_the_same_are_told(one: str, other: str, way: str) -> None:
    said = f"{one!r} and {other!r} are two ids; 1 of 4 differ from another one by {way} alone: write those"
    assert _doubt([None, one, 7, other], 2).startswith(said)


def test_a_few_ids_may_be_alike_by_chance() -> None:
    assert (
        _doubt(["aB", "Ab"], 98)
        == _doubt(["7a", "007a", "70", "7.0", "-7", "8", "8 "], 0)
        == _doubt([], 0)
        == ""
    )
    assert _doubt(["aB", "Ab"], 97) != ""


@pytest.mark.parametrize(
    ("ids", "told"),
    [
        ([str(n) for n in range(40)] + ["Total"], "ids such as 'Total' are no numbers, as 40 other ids are"),
        ([str(n) for n in range(40)] + ["A1", "A2"], ""),
        (["Total", "1", "2"], ""),
        ([str(n) for n in range(40)], ""),
        (["Total", *range(40)], ""),
        ([*"abcdefgh"] * 5, ""),
        (["7 ", "8"], "ids such as '7 ' have white space"),
        (["tea", None, "Unknown"], "ids such as 'Unknown' are words for a missing value: are these"),
        (["nan", *range(40)], "ids such as 'nan' are words for a missing value"),
    ],
)
def test_a_row_that_is_no_item_is_told(ids: list[object], told: str) -> None:
    said = doubt_of_items(ids)
    assert said.startswith(told) and bool(said) is bool(told)
