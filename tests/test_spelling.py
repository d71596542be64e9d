from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from m2trec_merlin.serving.client.requests import id_text
from m2trec_merlin.spelling import spell, spell_json, text_of_id


@pytest.mark.parametrize(
    ("texts", "spelled"),
    [
        (["2024", "2024.0", "2024.00", "2.024e3", "2024E0"], "2024"),
        (["12.5", "12.50", "1.25e1", "125E-1", " 12.5 "], "12.5"),
        (["0", "-0", "0.0", "-0.00", "0e5"], "0"),
        (["0.5", ".5", "0.50", "5e-1"], "0.5"),
        (["-1000", "-1e3", "-1000.0"], "-1000"),
        (["9007199254740993", "9007199254740993.0"], "9007199254740993"),
        (["1e-5", "0.00001", "1E-05"], "0.00001"),
        (["1e+300", "1e300", "1.0E300"], "1e+300"),
        (["1.5e-7", "0.00000015"], "1.5e-07"),
        (["true", "True", "TRUE"], "true"),
        (["false", "False", "FALSE"], "false"),
        (["12 GB", "12\u00a0GB", " 12  GB\u2003"], "12 GB"),
        (["caf\u00e9", "cafe\u0301", "\ufeffcaf\u00e9\u200b", "ca\u00adfe\u200b\u0301"], "caf\u00e9"),
        (["2024", "\ufeff2024", "2024\u200b ", "\u202a2024\u202c", "2024\u200e"], "2024"),
        (["red", "red\u200e", "\u200fred", "\u2068red\u2069"], "red"),
        (
            ["\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"],
            "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        ),
        (["\u0645\u06cc\u200c\u062e"], "\u0645\u06cc\u200c\u062e"),
        (
            [
                *("2024-01-05", "2024-01-05 00:00", "2024-01-05T00:00:00Z", "2024-01-05t00:00:00.000z"),
                *("2024-01-05 01:00:00+0100", "2024-01-04T19:00:00-05", "2024-01-05 00:00:00.000000000"),
            ],
            "2024-01-05",
        ),
        (["2024-01-05 10:00:00.25", "2024-01-05T10:00:00.250Z"], "2024-01-05 10:00:00.25"),
        (["10:30:00", "10:30:00.000000", "10:30:00.0"], "10:30:00"),
        (["10:30:00.25", "10:30:00.250000"], "10:30:00.25"),
        (["", " ", "\u200b"], ""),
    ],
)
def test_texts_of_one_value_have_one_spelling(texts: list[str], spelled: str) -> None:
    assert [spell(text) for text in texts] == [spelled] * len(texts)


@pytest.mark.parametrize(
    "text",
    [
        *("007", "00.5", "+5", "5.", "1,5", "1_000", "0x10", "1.2.3", "1e", "e5", "-", "٣", "True Religion"),
        *(
            "10:30",
            "10:30.0",
            "2024-13-05T00:00:00",
            "2024-01-05T",
            "0001-01-01 00:00+05:00",
            "20240105",
            "nan",
            "None",
            "a-1",
        ),
        "123456789012345678901234567890",
    ],
)
def test_what_only_looks_alike_stays(text: str) -> None:
    assert spell(text) == text


@pytest.mark.parametrize(
    ("value", "spelled"),
    [
        (True, "true"),
        (2024, "2024"),
        (2024.0, "2024"),
        (12.5, "12.5"),
        (1e16, "1" + "0" * 16),
        ("007", "007"),
    ],
)
def test_a_json_scalar_is_spelled_as_its_text(value: str | float | bool, spelled: str) -> None:
    assert spell_json(value) == spelled


@given(st.text() | st.from_regex(r"-?\d{0,5}\.\d{1,5}(e[+-]?\d{1,3})?", fullmatch=True))
def test_spelling_twice_changes_nothing(text: str) -> None:
    assert spell(spell(text)) == spell(text)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_no_digit_of_a_number_is_lost(number: float) -> None:
    assert float(spell(repr(number))) == number
    assert spell(str(Decimal(repr(number)))) == spell(repr(number))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (7, "7"),
        ("007", "007"),
        (7.0, "7"),
        (np.float32(7), "7"),
        (np.int64(7), "7"),
        (Decimal("7.00"), "7"),
        (Decimal(10) ** 30, "1" + "0" * 30),
        (7.5, "7.5"),
        (1e19, "1e+19"),
        (float("inf"), "inf"),
        (True, "True"),
    ],
)
def test_ids_are_whole_numbers_whatever_type_holds_them(value: object, text: str) -> None:
    assert text_of_id(value) == id_text(value) == text
