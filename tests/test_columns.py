from __future__ import annotations

from datetime import date
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from m2trec_merlin.columns import (
    are_missing_words,
    as_doubles,
    as_text,
    fill_empty,
    of_one_type,
    split_values,
    to_arrow,
    without_nulls,
    without_repeats,
)
from m2trec_merlin.errors import DataError


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([12, 13], ["12", "13"]),
        ([12.0, None, 13.5], ["12", None, "13.5"]),
        ([12, "12", 12.0, " 12 "], ["12", "12", "12", "12"]),
        ([True, None], ["true", None]),
        (["a", "", "  ", None], ["a", None, None, None]),
        ([None, None], [None, None]),
        ([1e300, float("inf")], ["1e+300", "inf"]),
        ([-0.5, -3.0], ["-0.5", "-3"]),
    ],
)
def test_a_value_has_one_text_whatever_the_type_of_its_column(values, expected):
    assert as_text(pd.Series(values)).to_pylist() == expected


def test_whole_numbers_beyond_the_floats_keep_every_digit():
    exact = 2**53 + 1
    assert as_text(pd.Series([exact, None], dtype=object)).to_pylist() == [str(exact), None]


def test_pandas_categories_are_their_values():
    assert as_text(pd.Series(["x", None, "x"], dtype="category")).to_pylist() == ["x", None, "x"]


def test_a_list_is_no_single_value():
    with pytest.raises(DataError, match=r"column 'brand'.*\n.*found \['a'\]"):
        as_text(pd.Series([["a"]], name="brand"))


#: What JSON holds; of some pairs, such as [1.5, True], Arrow would read one as the type of the other.
singles = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.sampled_from(["a", "1"])


@given(st.lists(singles, min_size=1, max_size=4))
def test_the_text_of_a_value_does_not_depend_on_the_others(values: list[object]) -> None:
    alone = [as_text(pd.Series([value], dtype=object))[0].as_py() for value in values]
    together = pd.Series(values, dtype=object)
    assert as_text(together).to_pylist() == alone
    assert as_text(of_one_type(together)).to_pylist() == alone


@given(st.lists(singles | st.lists(singles, max_size=3), min_size=1, max_size=4))
def test_the_parts_of_a_value_do_not_depend_on_the_others(values: list[object]) -> None:
    alone = [split_values(pd.Series([value], dtype=object), "|", 9)[0].as_py() for value in values]
    assert split_values(pd.Series(values, dtype=object), "|", 9).to_pylist() == alone


@pytest.mark.parametrize(
    "values",
    [
        [1.5, True],
        [np.True_, 2],
        [[1.5], [True]],
        [[2, np.True_]],
        [np.array([1.5]), np.array([True])],
        [date(2024, 1, 5), 7],
    ],
)
def test_values_of_other_types_are_not_taken_for_those_before_them(values: list[object]) -> None:
    with pytest.raises(pa.ArrowInvalid):
        to_arrow(pd.Series(values, dtype=object))


@pytest.mark.parametrize(
    "values",
    [
        [1, None, 2.5, float("nan")],
        [1, Decimal("2.5")],
        [True, None, np.True_, float("nan"), pd.NaT],
        [[1, 2.5], None, [None]],
        [[True], [None, False], []],
        [np.array([1.5]), [2, 3.5], None],
    ],
)
def test_numbers_and_gaps_go_with_one_another(values: list[object]) -> None:
    assert len(to_arrow(pd.Series(values, dtype=object))) == len(values)


def test_lists_go_to_arrow_and_back():
    series = pd.Series([[1, 2], [3]])
    assert [list(v) for v in to_arrow(series).to_pandas()] == [[1, 2], [3]]


several = st.lists(st.none() | st.lists(st.none() | st.integers(0, 9), max_size=3), min_size=1, max_size=8)


@given(several)
def test_only_empty_lists_are_filled(lists):
    filled = fill_empty(pa.array(lists, pa.list_(pa.int64())), 7).to_pylist()
    assert filled == [values or [7] for values in lists]


@given(several)
def test_null_entries_and_null_lists_are_dropped(lists):
    kept = without_nulls(pa.array(lists, pa.list_(pa.int64()))).to_pylist()
    assert kept == [[v for v in values or [] if v is not None] for values in lists]


@given(several)
def test_of_equal_entries_the_first_is_kept(lists):
    kept = without_repeats(pa.array(lists, pa.list_(pa.int64()))).to_pylist()
    assert kept == [list(dict.fromkeys(v for v in values or [] if v is not None)) for values in lists]


@given(st.lists(st.integers(-(2**40), 2**40), min_size=1))
def test_numbers_read_as_floats_have_the_text_of_integers(numbers):
    assert as_text(pd.Series(np.array(numbers, dtype=float))).to_pylist() == [str(n) for n in numbers]


@pytest.mark.parametrize(
    "word",
    [
        *("NULL", "n/a", "N.A.", "<NA>", " NaN ", "\\N", "-", "--", "?", "(null)", "[NULL]", "(blank)"),
        *("#N/A", "#NV", "#DIV/0!", "#NAME?", "#REF!@2024-03-01"),
        *("(not set)", "(not provided)", "k.A.", "k. A.", "keine Angabe"),
    ],
)
def test_what_programs_and_spreadsheets_write_for_none_is_known(word: str) -> None:
    assert are_missing_words(pa.array([word, "no", None])).tolist() == [True, False, False]


@pytest.mark.parametrize("name", ["blank", "#1", "#sale", "Na+", "nullable", "(new)", "[none", "-5", "n.a"])
def test_names_are_no_words_for_none(name: str) -> None:
    assert not are_missing_words(pa.array([name]), are_ids=True).any()


@pytest.mark.parametrize("word", ["unknown", "Unbekannt", "not set", "not available", "unknown@2024-03-01"])
def test_what_may_be_said_of_an_item_is_a_word_for_none_among_ids(word: str) -> None:
    assert are_missing_words(pa.array([word]), are_ids=True).all()
    assert not are_missing_words(pa.array([word])).any()


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_a_text_is_the_nearest_number_however_many_digits_it_has(numbers: list[float]) -> None:
    texts = [f" {number!r}" for number in numbers]
    assert as_doubles(pd.Series([*texts, "x"])).tolist()[:-1] == numbers
    mixed = as_doubles(pd.Series([*texts, 1.5, None], dtype=object))
    assert mixed[:-1].tolist() == [*numbers, 1.5]


def test_white_space_around_a_number_is_none_of_it() -> None:
    assert as_doubles(pd.Series(["\t5\n", " 0.30000000000000004"])).tolist() == [5, 0.30000000000000004]
