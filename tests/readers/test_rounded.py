from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from m2trec_merlin.readers.rounded import are_rounded_ids, are_rounded_positions


@pytest.mark.parametrize("text", ["4.00638E+12", "4,00638E+12", "1E+05", "1e+05", "-1.5E+20 ", "1.7e+18"])
def test_a_number_with_an_exponent_is_no_id(text: str) -> None:
    assert list(are_rounded_ids(pd.Series(["x", None, text]))) == [False, False, True]


@pytest.mark.parametrize(
    "text", ["12e4", "1e10", "5E7", "1.E+5x", "4006381333000", "7.5", "", "4.006381333E+09"]
)
def test_codes_and_whole_numbers_are_ids(text: str) -> None:
    assert not are_rounded_ids(pd.Series([text, None, "x"])).any()


@pytest.mark.parametrize(("kind", "first"), [(np.float32, 2**24), (np.float64, 2**53)])
def test_floats_are_ids_up_to_where_they_hold_every_whole_number(kind: type, first: int) -> None:
    values = pd.Series([first - 1, np.nan, first, -first, 7], dtype=kind)
    assert list(are_rounded_ids(values)) == [False, False, True, True, False]


@pytest.mark.parametrize(
    "text",
    [
        *("1.70927E+12", "1,7E+12", "2E+11", "1.5E+10", "1.70927E+18"),
        *("1.70929e+09", "1.7092902e+09", "1.71e+09", "1.70929e+009", "1.709290e+09", "1.709290123e+12"),
    ],
)
def test_times_and_places_with_fewer_digits_than_they_have_are_rounded(text: str) -> None:
    assert list(are_rounded_positions(pd.Series([text, None, "12"]))) == [True, False, False]


@pytest.mark.parametrize(
    "text",
    [
        *("1.709290123E+09", "1.709290123000e+09", "1.7092512e+18", "1.709251200123456e+18", "1.7092512E9"),
        *("1709251200000", "2024-03-01"),
    ],
)
def test_what_programs_write_has_all_digits_of_a_float(text: str) -> None:
    assert not are_rounded_positions(pd.Series([text, None])).any()


@pytest.mark.parametrize("are_rounded", [are_rounded_ids, are_rounded_positions])
@pytest.mark.parametrize("often", [1, 50])
def test_few_round_numbers_that_r_shortens_are_exact(
    are_rounded: Callable[[pd.Series], np.ndarray], often: int
) -> None:
    numbers = pd.Series([*map(str, range(99_900, 100_000)), *["1e+05"] * often, "100001"])
    assert not are_rounded(numbers).any()
    assert are_rounded(numbers.replace("1e+05", "1E+05")).sum() == often


def test_a_number_that_is_longer_with_its_exponent_is_not_of_r() -> None:
    numbers = pd.Series([*map(str, range(2**54, 2**54 + 100)), "1.80143985094819e+16"])
    assert are_rounded_ids(numbers).tolist() == [False] * 100 + [True]


def test_times_in_floats_of_32_bits_are_rounded() -> None:
    seconds = pd.Series([1_709_251_200, 16_777_215])
    assert list(are_rounded_positions(seconds.astype(np.float32))) == [True, False]
    for kind in (np.float64, np.int64, "Int64", "Float64", object):
        assert not are_rounded_positions(seconds.astype(kind)).any()
