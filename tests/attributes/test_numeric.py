"""What counts as a number, in a table as in a request."""

from __future__ import annotations

import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from jsonschema import Draft202012Validator

from m2trec_merlin.attributes import Attribute, parse_attribute
from m2trec_merlin.columns import numbers

NO_NUMBER, TOO_LARGE = "is not a finite number", "is beyond the numbers of float32 (3.4e38)"
NEGATIVE, LIST = "is below 0, and log needs numbers of at least 0", "is a list, not a number"


def found(attribute: Attribute, values: pd.Series) -> dict[int, str]:
    """By row, what is wrong."""
    faults = attribute.faults(values[values.notna()])
    return {int(str(row)): fault.what for fault in faults for row in fault.values[fault.wrong].index}


@pytest.fixture
def plain() -> Attribute:
    return parse_attribute(name="price", kind="numeric")


@pytest.mark.parametrize(
    ("value", "number"),
    [
        *((7, 7.0), (7.5, 7.5), ("7.50", 7.5), (" 7 ", 7.0), ("1e3", 1000.0), (Decimal("12.50"), 12.5)),
        *(
            (-5, -5.0),
            (3e38, 3e38),
            (np.int64(7), 7.0),
            (np.float32(7.1), 7.1),
            (None, None),
            (1e-320, 1e-320),
        ),
    ],
    ids=str,
)
def test_a_number_is_read_alike_alone_and_in_company(plain: Attribute, value: object, number: float) -> None:
    for company in ([], ["x"], [True], [10**400], [1.5], [pd.Timestamp("2024-01-01")]):
        values = pd.Series([value, *company], dtype=object)
        assert 0 not in found(plain, values)
        assert numbers(values)[0].as_py() == (pytest.approx(number, rel=1e-7) if number else number)


@pytest.mark.parametrize("blank", ["", " ", "\u00a0"])
def test_a_blank_text_is_missing_and_no_fault(plain: Attribute, blank: str) -> None:
    values = pd.Series([blank, "7"], dtype=object)
    assert found(plain, values) == {}
    assert numbers(values).to_pylist() == [None, 7.0]


@pytest.mark.parametrize(
    ("value", "what"),
    [
        *(
            ("$12.99", NO_NUMBER),
            ("12,50", NO_NUMBER),
            ("n/a", NO_NUMBER),
            ("1e400", NO_NUMBER),
        ),
        *(
            (float("inf"), NO_NUMBER),
            (Decimal("Infinity"), NO_NUMBER),
            (10**400, NO_NUMBER),
            (b"12", NO_NUMBER),
        ),
        *((True, NO_NUMBER), (np.True_, NO_NUMBER), ({"a": 1}, NO_NUMBER), (pd.Timedelta("1h"), NO_NUMBER)),
        *((pd.Timestamp("2024-01-01"), NO_NUMBER), (datetime.date(2024, 1, 1), NO_NUMBER)),
        *((datetime.time(8), NO_NUMBER), ([1], LIST), (1e39, TOO_LARGE), ("-1.797e308", TOO_LARGE)),
        *((Decimal("1e39"), TOO_LARGE), (10**39, TOO_LARGE)),
    ],
    ids=str,
)
def test_what_is_no_number_is_a_fault_and_missing(plain: Attribute, value: object, what: str) -> None:
    for company in ([], ["x"], [1.5], [None]):
        values = pd.Series([value, *company], dtype=object)
        assert found(plain, values)[0] == what
        assert numbers(values)[0].as_py() is None


@pytest.mark.parametrize(
    "dtype", ["bool", "datetime64[ns]", "datetime64[us, UTC]", "timedelta64[ns]", "boolean"]
)
def test_columns_of_other_types_are_refused_gaps_or_not(plain: Attribute, dtype: str) -> None:
    values = pd.Series([1, 0, 1]).astype(dtype)
    assert found(plain, values) == dict.fromkeys(range(3), NO_NUMBER)
    assert numbers(values).null_count == 3
    if dtype != "bool":
        assert list(found(plain, values.mask([False, True, False]))) == [0, 2]


def test_another_type_gets_a_hint(plain: Attribute) -> None:
    hints = [next(iter(plain.faults(pd.Series([v])))).hint for v in (True, pd.Timestamp("2024-01-01"), "x")]
    assert hints == [
        "kind categorical takes true and false",
        "write times as numbers, such as days since a date",
        "",
    ]


def test_logarithms_need_numbers_of_at_least_0() -> None:
    attribute = parse_attribute(name="price", kind="numeric", log=True)
    assert found(attribute, pd.Series([-5, 0, 3e38])) == {0: NEGATIVE}
    assert numbers(pd.Series([-5, 0]), minimum=0).to_pylist() == [None, 0]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_number_is_the_one_that_is_written_in_any_precision(plain: Attribute, dtype: str) -> None:
    canonical = plain.canonical(pd.Series([7.1, None, 0.25], dtype=dtype))
    assert canonical.dtype == np.float64
    assert canonical.tolist()[::2] == [7.1, 0.25] and canonical.isna().tolist() == [False, True, False]


def test_points_part_thousands_where_commas_begin_fractions() -> None:
    attribute = parse_attribute(name="price", kind="numeric", decimal=",")
    values = pd.Series(["1.299,50", "1299,5", "1.299", "-1.000.000", "12.50", "1299.50", "1.2990", "0.812"])
    assert found(attribute, values) == dict.fromkeys([4, 5, 6, 7], NO_NUMBER)
    assert attribute.canonical(values)[:4].tolist() == [1299.5, 1299.5, 1299.0, -1000000.0]


def test_words_for_missing_values_are_told_from_other_words(plain: Attribute) -> None:
    def hints(*values: str) -> set[str]:
        return {fault.hint for fault in plain.faults(pd.Series(values)) if fault.wrong.any()}

    for word in ("NA", "null", "nan", "-", "<NA>", "\\N"):
        assert hints("1", word) == {"leave the field empty where there is no value"}
    assert hints("1", "cheap") == {""}
    assert hints("1", "12.50 €", "$9", "EUR 7") == {"write the number alone, without currency or unit"}


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize(
    ("decimal", "texts"),
    [
        (".", ["1.5", "-2", " 7 ", "1e3", ".5", "5.", "1,5", "1 5", "cheap", "1.2.3", "-", "+3"]),
        (",", ["1,5", "1.234,50", "7", "-2,5", ",5", "1,5,0", "cheap", "-", "1,5e3", "0.812"]),
    ],
)
def test_the_schema_takes_the_texts_in_which_there_is_no_fault(
    decimal: str, texts: list[str], log: bool
) -> None:
    attribute = parse_attribute(name="price", kind="numeric", decimal=decimal, log=log)
    schema = Draft202012Validator(attribute.value_schema())
    for text in texts:
        wrong = any(fault.wrong.any() for fault in attribute.faults(pd.Series([text], dtype=object)))
        assert schema.is_valid(text) != wrong, text


@pytest.mark.parametrize(
    ("value", "valid"), [(1e38, True), (1e39, False), (-1e39, False), (3, True), (True, False)]
)
def test_the_schema_takes_the_numbers_that_float32_holds(value: float, valid: bool) -> None:
    attribute = parse_attribute(name="price", kind="numeric")
    assert Draft202012Validator(attribute.value_schema()).is_valid(value) == valid
    assert any(f.wrong.any() for f in attribute.faults(pd.Series([value], dtype=object))) != valid


@pytest.mark.parametrize(
    ("values", "decimal", "told"),
    [
        (["899", " 1.299", "1.000.000", None, ""], ".", ["' 1.299' is taken for a number below 1,000"]),
        (["899", "1.299"], ",", []),
        (["899", "1.299", "0.5"], ".", []),
        (["899", "1299"], ".", []),
        ([899.0, 1.299], ".", []),
    ],
)
def test_points_that_may_part_thousands_are_told(values: list, decimal: str, told: list[str]) -> None:
    attribute = parse_attribute(name="price", kind="numeric", decimal=decimal)
    assert [doubt.partition(":")[0] for doubt in attribute.doubts(pd.Series(values).dropna())] == told


PRICES = [float(n) for n in range(1, 40)]


@pytest.mark.parametrize(
    ("extremes", "log", "told"),
    [
        ([999_999.0] * 3, False, ["999999 (of 3) is so far from all others"]),
        ([-1e30], False, ["-1e+30 (of 1) is so far from all others"]),
        ([999_999.0] * 3, True, []),
        ([-1.0] * 3, False, ["-1 (of 3) is the only number below 0"]),
        ([-1.0, -1.0, -2.0], False, []),
        ([-1.0], False, []),
        ([0.0] * 30, True, []),
        ([90.0, 400.0], False, []),
        ([-11_000.0, 12_000.0], False, []),  # of 41 numbers these are many
    ],
)
def test_numbers_that_stand_for_none_are_told(extremes: list[float], log: bool, told: list[str]) -> None:
    attribute = parse_attribute(name="price", kind="numeric", log=log)
    for values in (pd.Series(PRICES + extremes), pd.Series(PRICES + extremes).astype(str)):
        assert [doubt.partition(" that")[0].partition(":")[0] for doubt in attribute.doubts(values)] == told


@pytest.mark.parametrize(
    ("extremes", "is_told"),
    [([-11_000.0, 12_000.0, 3000.0], True), ([-19_000.0], True), ([90.0, 95.0, 400.0], False)],
)
def test_few_numbers_that_hide_one_another_are_told(extremes: list[float], is_told: bool) -> None:
    """As bookings of debts and fees are among the prices of a shop, which then say nothing any more."""
    prices = pd.Series(PRICES * 30 + extremes)
    told = list(parse_attribute(name="price", kind="numeric").doubts(prices))
    assert len(told) == is_told and all(
        f"{max(extremes, key=abs):.0f} (of 1) is so far" in doubt for doubt in told
    )


def test_prices_of_which_few_are_large_are_ordinary() -> None:
    prices = pd.Series(np.random.default_rng(0).lognormal(2, 1.5, 30_000))
    for log in (False, True):
        assert not list(parse_attribute(name="price", kind="numeric", log=log).doubts(prices))


@pytest.mark.parametrize(
    "values",
    [[], [7.0], [7.0] * 40, [7.0, 8.0, 999_999.0], [0.99] * 328 + [1.99] * 22, [0.1] * 7 + [9e9] * 90],
)
def test_few_numbers_and_equal_ones_tell_nothing_of_others(values: list[float]) -> None:
    assert not list(parse_attribute(name="price", kind="numeric").doubts(pd.Series(values, dtype=float)))
