from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from m2trec_merlin.readers.files.raw_types import NotTextError, conversion

HALVES = np.array([6.37, 2.5, 65504, 2047], np.float16)
DAY = datetime.datetime(2024, 1, 2, 3)


def read(*arrays: pa.Array) -> list[list[Any]]:
    convert = conversion([array.type for array in arrays])
    assert convert is not None
    return [[_plain(value) for value in convert(array)] for array in arrays]


def _plain(value: Any) -> Any:
    if isinstance(value, list | np.ndarray):
        return [_plain(each) for each in value]
    return None if pd.isna(value) else value


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (pa.array([b"x", None, "é".encode()]), ["x", None, "é"]),
        (pa.array([b"x", None], pa.large_binary()), ["x", None]),
        (pa.array([b"ab", None], pa.binary(2)), ["ab", None]),
        (pa.array([b"x", b"y", b"x", None]).dictionary_encode(), ["x", "y", "x", None]),
        (pa.array([5, 7, 5, None]).dictionary_encode(), [5, 7, 5, None]),
        (pa.array([[b"x"], None, [b"y", None]]), [["x"], None, ["y", None]]),
        (pa.array([["x"], None], pa.large_list(pa.large_string())), [["x"], None]),
        # The numbers that were written, as float32; whole ones as they are, though 65500 is as near.
        (pa.array(HALVES, mask=HALVES == 2.5), [np.float32(6.37), None, 65504.0, 2047.0]),
        (pa.array(np.array([np.inf, 0.1], np.float16)), [np.inf, np.float32(0.1)]),
        (pa.array([None, None], pa.null()), [None, None]),
        (pa.array([[1.0, 2.0]], pa.list_(pa.float32(), 2)), [[1.0, 2.0]]),
        (
            pa.array([DAY], pa.timestamp("ns", "Europe/Berlin")),
            [pa.scalar(DAY, pa.timestamp("ns", "Europe/Berlin")).as_py()],
        ),
    ],
)
def test_a_column_of_one_type_is_read_as_text_numbers_times_or_lists(array: pa.Array, expected: list) -> None:
    assert read(array) == [expected]


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ([1, 2**60 + 1, None], ["x", "7"], [["1", str(2**60 + 1), None], ["x", "7"]]),
        ([7.0, None, 2.5], ["x", "7"], [["7", None, 2.5], ["x", "7"]]),
        ([Decimal("1.299"), Decimal("2.000")], ["x"], [[Decimal("1.299"), "2.000"], ["x"]]),
        ([True, None], ["x"], [["true", None], ["x"]]),
        ([DAY], ["2024-01-02"], [["2024-01-02 03:00:00.000000"], ["2024-01-02"]]),
        ([1, 2**60 + 1], [7.0, None, float("nan")], [[1, 2**60 + 1], [7, None, None]]),
        ([1, 2**60 + 1], [7.5, None], [[1, 2**60 + 1], [7.5, None]]),
        ([2**60 + 1], [Decimal("1000000000000000000.5")], [[2**60 + 1], [Decimal("1000000000000000000.5")]]),
        ([[2**60 + 1]], [[0.5]], [[[2**60 + 1]], [[0.5]]]),
        ([Decimal("1000.00"), None], [7], [[1000, None], [7]]),
        ([DAY], [datetime.date(2024, 1, 3)], [[DAY], [datetime.datetime(2024, 1, 3)]]),
        ([[1, 2]], [[0.5]], [[[1.0, 2.0]], [[0.5]]]),
        ([[1, None]], [["x"]], [[["1", None]], [["x"]]]),
        ([b"x"], ["y"], [["x"], ["y"]]),
    ],
)
def test_files_of_several_types_come_to_one(one: list, other: list, expected: list) -> None:
    assert read(pa.array(one), pa.array(other)) == expected
    assert read(pa.array(other), pa.array(one)) == expected[::-1]


def test_a_file_without_values_takes_the_type_of_the_others() -> None:
    assert read(pa.array([None], pa.null()), pa.array([1])) == [[None], [1]]
    assert read(pa.array([[]], pa.list_(pa.null())), pa.array([[0.5]])) == [[[]], [[0.5]]]
    assert read(pa.array([None], pa.null()), pa.array([1]), pa.array(["x"])) == [[None], ["1"], ["x"]]
    assert read(pa.array([2**63], pa.uint64()), pa.array([1])) == [[str(2**63)], ["1"]]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (pa.timestamp("us"), pa.timestamp("us", "UTC")),
        (pa.date32(), pa.timestamp("us", "UTC")),
        (pa.list_(pa.string()), pa.string()),
    ],
)
def test_types_that_do_not_go_together(one: pa.DataType, other: pa.DataType) -> None:
    assert conversion([one, other]) is None


@pytest.mark.parametrize(
    "kind",
    [
        pa.map_(pa.string(), pa.int64()),
        pa.struct([("x", pa.int64())]),
        pa.list_(pa.struct([("x", pa.int64())])),
        pa.duration("us"),
        pa.list_(pa.duration("ns")),
        pa.list_(pa.list_(pa.int64())),
        pa.dense_union([pa.field("x", pa.int64())]),
    ],
)
def test_structures_are_refused(kind: pa.DataType) -> None:
    with pytest.raises(TypeError, match=r"map|struct|lists of lists|union|duration"):
        conversion([kind])


@pytest.mark.parametrize(
    "array", [pa.array([b"x", None, b"\xff"]), pa.array([[b"x"], None, [b"x", b"\xff"]])]
)
def test_bytes_that_are_no_text_are_located(array: pa.Array) -> None:
    with pytest.raises(NotTextError) as caught:
        read(array)
    assert caught.value.row == 2 and "xff" in repr(caught.value.value)


def test_numbers_of_several_types_keep_their_digits_side_by_side() -> None:
    arrays = [pa.array([2**60 + 1]), pa.array([7.5]), pa.array([Decimal("0.10")])]
    convert = conversion([array.type for array in arrays])
    assert convert is not None
    assert pd.concat([convert(array) for array in arrays]).tolist() == [2**60 + 1, 7.5, Decimal("0.10")]


def test_floats_of_several_widths_are_the_numbers_that_were_written() -> None:
    assert read(pa.array([7.1, None], pa.float32()), pa.array([0.1])) == [[7.1, None], [0.1]]


def test_times_keep_the_finest_unit_of_all_files_and_do_not_wrap_around() -> None:
    fine = pa.array([1, None], pa.timestamp("ns"))
    far = pa.array([0, 300_000 * 365 * 86_400], pa.timestamp("s"))
    start = pd.Timestamp(0)
    assert read(fine, far) == [[pd.Timestamp(1), None], [start, None]]
    assert read(fine, pa.array([datetime.date(1, 1, 1)])) == [[pd.Timestamp(1), None], [None]]


def test_a_time_of_day_beside_times_is_text() -> None:
    assert read(pa.array([5], pa.time64("us")), pa.array([DAY]))[0] == ["00:00:00.000005"]


def test_whole_numbers_with_gaps_keep_their_digits() -> None:
    for kind, number in ((pa.int64(), 2**60 + 1), (pa.uint64(), 2**63 + 1)):
        convert = conversion([kind])
        assert convert is not None
        series = convert(pa.array([number, None], kind))
        assert series[0] == number and series.isna().tolist() == [False, True]


def test_whole_numbers_in_lists_keep_their_digits_beside_missing_ones() -> None:
    big = 2**60 + 1
    assert read(pa.array([[big, None], [3], None])) == [[[big, None], [3], None]]
    assert read(pa.array([[big, None]]), pa.array([[5]], pa.list_(pa.int32()))) == [[[big, None]], [[5]]]
