from __future__ import annotations

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from m2trec_merlin.readers.positions import order_keys, parse_positions, parse_whole_numbers

BIG = 2**53


@pytest.mark.parametrize(
    "values",
    [
        pd.Series([BIG + 2, BIG, BIG + 1, -5], dtype="int64"),
        pd.Series([BIG + 2, BIG, BIG + 1, -5], dtype="Int64"),
        pd.Series([2**63 + 2, 2**63, 2**63 + 1, 5], dtype="uint64"),
        pd.Series([Decimal(BIG + 2), Decimal(BIG), Decimal(BIG + 1), Decimal("-5.5")]),
        pd.Series([f"{BIG + 2}.0", str(BIG), f" {BIG + 1} ", "-5"]),
        pd.Series([f"+{BIG + 2}", str(BIG), f"{BIG + 1}.00", "5"]),
        pd.Series([str(BIG + 2), str(BIG), str(BIG + 1), "1.5"]),
        pd.Series([str(BIG + 2), str(BIG), str(BIG + 1), "1e3"]),
        pd.Series([BIG + 2, float(BIG), str(BIG + 1), Decimal(7)], dtype=object),
        pd.Series([2**80 + 2, 2**80, 2**80 + 1, 1.5], dtype=object),
        pd.Series(["1700000000000000002", "1700000000000000000", "1700000000000000001", "9"]),
        pd.Series(["1700000000.123456789", "1700000000.123456787", "1700000000.123456788", "1700000000"]),
        pd.Series(["1.5", "0.5", "1", "-1"]),
        pd.Series(["12", "3", "9", "-3"], dtype="category"),
        pd.Series([1.5, 0.5, 1.0, -1.0]),
    ],
)
def test_positions_order_exactly_whatever_their_type(values: pd.Series) -> None:
    positions = parse_positions(values.set_axis([7, 8, 9, 10]))
    assert positions.notna().all() and positions.index.tolist() == [7, 8, 9, 10]
    assert np.argsort(order_keys(positions)).tolist() == [3, 1, 2, 0]


@pytest.mark.parametrize(
    "value",
    [
        *("", "three", "nan", "inf", "-Infinity", "1_000", "0x10", "1,5", "1e999999999", "٣", "9" * 41, None),
        *(float("nan"), float("inf"), Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"), True, b"12", [1]),
        *(pd.Timestamp("2024-01-01"), pd.Timedelta("1h"), pd.NaT, 10**41),
    ],
    ids=str,
)
def test_what_is_no_number_is_none_in_any_company(value: object) -> None:
    for company in ("5", str(BIG + 1), "1.5", 5, 2**70, Decimal(1)):
        assert parse_positions(pd.Series([value, company], dtype=object)).isna().tolist() == [True, False]


def test_positions_that_are_no_finite_numbers() -> None:
    parsed = parse_positions(pd.Series(["1", "2.5", "three", None, "inf"]))
    assert parsed.isna().tolist() == [False, False, True, True, True]
    assert parsed[1] == 2.5


@pytest.mark.parametrize("dtype", ["bool", "datetime64[ns]", "timedelta64[ns]"])
def test_columns_of_other_types_hold_no_numbers(dtype: str) -> None:
    assert parse_positions(pd.Series([1, 2]).astype(dtype)).isna().all()


def test_whole_numbers_keep_every_digit() -> None:
    texts = pd.Series([f"{BIG + 1}.0", "1.5", "x", str(2**70)])
    assert parse_whole_numbers(texts).tolist()[::3] == [BIG + 1, 2**70]
    assert parse_whole_numbers(texts).isna().tolist() == [False, True, True, False]
    assert parse_whole_numbers(pd.Series([2.0, 1.5])).isna().tolist() == [False, True]
