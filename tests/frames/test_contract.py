"""What every library of data frames has to do, held against plain Python."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from m2trec_merlin.errors import DataError
from m2trec_merlin.frames import frames_of, library
from m2trec_merlin.frames.pandas_frames import PandasFrames
from m2trec_merlin.frames.protocol import Frames
from m2trec_merlin.ids import IdIndex
from tests.frames import keyhole


@pytest.fixture(
    scope="module",
    params=["pandas", "keyhole", "keyhole of 2023", pytest.param("cudf", marks=pytest.mark.gpu)],
)
def frames(request: pytest.FixtureRequest) -> Iterator[Frames]:
    """Every library, and stand-ins for cuDF that need no GPU."""
    if not request.param.startswith("keyhole"):
        pytest.importorskip(request.param, reason="cuDF is not installed: extra gpu", exc_type=ImportError)
        yield library(request.param)
        return
    keyhole.SORTED["factorize"] = request.param.endswith("2023")
    with keyhole.installed() as found:
        yield found
    keyhole.SORTED["factorize"] = False


def host(frames: Frames, column) -> list:
    return frames.to_host(column).to_pylist()


def host_array(frames: Frames, array) -> list:
    return host(frames, frames.column(array))


def test_a_frame_finds_its_library():
    assert isinstance(frames_of(pd.DataFrame()), PandasFrames)


def test_another_library_is_refused_by_its_name():
    with pytest.raises(TypeError, match=r"frames of 'builtins' are not known; accepted: pandas, cudf"):
        frames_of({})  # type: ignore[arg-type]


def test_columns_come_and_go(frames):
    frame = frames.frame({"a": frames.from_host(pa.array([1, 2, 3]))})
    wider = frames.with_columns(frame, {"b": frames.from_host(pa.array(["x", None, "z"]))})
    assert list(frame.columns) == ["a"] and list(wider.columns) == ["a", "b"]
    kept = frames.keep(wider, frames.floats(wider["a"]) != 2)
    assert host(frames, kept["a"]) == [1, 3] and host(frames, kept["b"]) == ["x", "z"]


@given(st.lists(st.none() | st.sampled_from(["a", "b", "c"]), min_size=1))
def test_looking_up_asks_once_for_each_distinct_value(frames, values):
    asked: list[list[str]] = []

    def ids(distinct: pa.Array) -> np.ndarray:
        asked.append(distinct.to_pylist())
        return np.array([ord(value) for value in distinct.to_pylist()], np.int64)

    column = frames.from_host(pa.array(values, pa.string()))
    assert host(frames, frames.look_up(column, ids, 1)) == [ord(v) if v else 1 for v in values]
    assert sorted(asked[0]) == sorted({v for v in values if v})


@given(st.lists(st.none() | st.lists(st.none() | st.sampled_from(["a", "b"]))))
def test_values_of_lists_are_looked_up_and_no_list_is_empty(frames, lists):
    # A column of nothing but nulls has no type in pandas.
    lists = [["a"], *lists]
    column = frames.from_host(pa.array(lists, pa.list_(pa.string())))
    found = frames.look_up(column, lambda d: np.array([ord(v) for v in d.to_pylist()], np.int64), 1)
    assert host(frames, found) == [[ord(v) for v in line or [] if v] or [1] for line in lists]


def test_vectors_of_texts_are_made_once_for_each(frames):
    def encode(texts: pa.Array) -> np.ndarray:
        assert texts.to_pylist() == ["ab", "c"]
        return np.array([[len(text), 1] for text in texts.to_pylist()], np.float32)

    column = frames.from_host(pa.array(["ab", None, " ab ", "c", ""]))
    assert host(frames, frames.vectors_of(column, "x", encode, 2)) == [[2, 1], [0, 0], [2, 1], [1, 1], [0, 0]]


@given(st.lists(st.tuples(st.sampled_from("xyz"), st.integers(0, 9)), min_size=1))
def test_events_are_numbered_grouped_and_cut(frames, events):
    frame = frames.frame(
        {
            "id": frames.from_host(pa.array([name for name, _ in events])),
            "place": frames.from_host(pa.array([place for _, place in events])),
            "row": frames.from_host(pa.array(range(len(events)))),
            "price": frames.from_host(pa.array([place / 2 for _, place in events])),
            "is_first": frames.from_host(pa.array([place == 0 for _, place in events])),
            "ids": frames.from_host(pa.array([[place] * (1 + place % 3) for _, place in events])),
        }
    )
    frame = frames.with_columns(frame, {"number": frames.number(frame["id"])})
    grouped = frames.group(frame, ["number", "id"], ["number", "place"], ["row", "price", "is_first", "ids"])
    names = list(dict.fromkeys(name for name, _ in events))
    places = [sorted(place for other, place in events if other == name) for name in names]
    assert host(frames, grouped["id"]) == names
    assert host(frames, grouped["row_count"]) == [len(line) for line in places]
    rows = host(frames, grouped["row_list"])
    assert [[events[row][1] for row in line] for line in rows] == places
    assert host(frames, frames.last(grouped["row_list"], 2)) == [line[-2:] for line in rows]
    of_places = {"price": lambda p: p / 2, "is_first": lambda p: p == 0, "ids": lambda p: [p] * (1 + p % 3)}
    for name, value in of_places.items():
        expected = [[value(place) for place in line] for line in places]
        assert host(frames, grouped[f"{name}_list"]) == expected
        assert host(frames, frames.last(grouped[f"{name}_list"], 2)) == [line[-2:] for line in expected]


def test_ids_are_found_by_position(frames):
    column = frames.from_host(pa.array([30, 5, 10]))
    positions = frames.find(column, IdIndex(pd.Series([10, 20, 30])))
    assert positions.tolist() == [2, -1, 0]
    found = frames.values_at(np.array([7, 8, 9]), positions[positions >= 0])
    assert host(frames, found) == [9, 7]


def test_words_are_counted_and_texts_become_tokens(frames):
    column = frames.from_host(pa.array(["a bb", None, "bb bb a", " "]))
    assert frames.count_words(column, "x") == {"a": 2, "bb": 3}

    def encode(words: pa.Array) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        ids = [[ord(letter) for letter in word] for word in words.to_pylist()]
        sizes = np.array([len(line) for line in ids], np.int64)
        flat = np.array([i for line in ids for i in line], np.int64)
        return flat, np.cumsum(sizes) - sizes, sizes

    a, b = ord("a"), ord("b")
    assert host(frames, frames.tokens(column, "x", encode, 4, 1)) == [[a, b, b], [1], [b, b, b, b], [1]]


def test_numbers_are_what_float32_holds(frames):
    for values, minimum, wanted in (
        ([1, None, -3], None, [1.0, None, -3.0]),
        ([1.5, np.nan, np.inf, -1.0], 0.0, [1.5, None, None, None]),
        (["7.25", "x", None, "1e300"], None, [7.25, None, None, None]),
        ([True, False], None, [None, None]),
    ):
        column = frames.from_host(pa.array(values, from_pandas=True))
        assert host(frames, frames.numbers(column, minimum)) == wanted
    column = frames.from_host(pa.array(["1.299,50", "1.5", None, "7"]))
    assert host(frames, frames.numbers(column, None, ",")) == [1299.5, None, None, 7.0]
    # As it is written, not the float64 that is nearest to it in binary.
    column = frames.from_host(pa.array([7.1], pa.float32()))
    assert host(frames, frames.numbers(column, None)) == [7.1]


def test_numbers_become_arrays_and_columns_again(frames):
    column = frames.from_host(pa.array([1.0, None, 3.0]))
    values = frames.floats(column)
    assert values.tolist()[::2] == [1.0, 3.0] and values.tolist()[1] != values.tolist()[1]
    assert host(frames, frames.column(values.astype(np.float32) * 2)) == [2.0, None, 6.0]


def test_categories_have_one_spelling(frames):
    for values, wanted in (
        ([" a  b ", "", None, "A b", "é"], ["a b", None, None, "A b", "é"]),
        ([7.0, None, 7.5], ["7", None, "7.5"]),
        ([2**53 + 1], [str(2**53 + 1)]),
        ([True, None], ["true", None]),
    ):
        column = frames.from_host(pa.array(values))
        assert host(frames, frames.categories(column, "x")) == wanted


def test_lists_and_texts_with_separators_are_split(frames):
    texts = frames.from_host(pa.array(["a|b|c", " b ", None, "", "|a||"]))
    assert host(frames, frames.split(texts, "x", "|", 2, None)) == [["a", "b"], ["b"], [None], [None], ["a"]]
    lists = frames.from_host(pa.array([["a", None, "b"], None, [], [" c "]]))
    assert host(frames, frames.split(lists, "x", "|", 2, "-")) == [["a", "b"], ["-"], ["-"], ["c"]]
    numbers = frames.from_host(pa.array([7.0, None]))
    assert host(frames, frames.split(numbers, "x", "|", 2, None)) == [["7"], [None]]
    nothing = frames.from_host(pa.array([[], None], pa.list_(pa.string())))
    assert host(frames, frames.split(nothing, "x", "|", 2, None)) == [[None], [None]]


def test_categories_are_counted(frames):
    column = frames.from_host(pa.array(["a", None, "b", "a"]))
    assert frames.count_categories(column) == {"a": 2, "b": 1}
    column = frames.from_host(pa.array([["a", None], ["b", "a"], []]))
    assert frames.count_categories(column) == {"a": 2, "b": 1}
    assert frames.count_categories(frames.from_host(pa.array([None, None], pa.string()))) == {}


def test_vectors_are_of_one_size(frames):
    column = frames.from_host(pa.array([[1, 2], None, [np.nan, np.inf], [3.5, None]], pa.list_(pa.float64())))
    assert host(frames, frames.vectors(column, "x", 2)) == [[1, 2], [0, 0], [0, 0], [3.5, 0]]
    with pytest.raises(DataError, match="2 vectors are not of size 3; first: row 0, size 2"):
        frames.vectors(frames.from_host(pa.array([[1.0, 2.0], [1.0, 2.0, 3.0], []])), "x", 3)
    with pytest.raises(DataError, match="expected lists of 2 numbers, found string"):
        frames.vectors(frames.from_host(pa.array(["a"])), "x", 2)


def test_words_are_parted_by_any_white_space(frames):
    column = frames.from_host(pa.array([" a\u3000b  a\tc", None, "", "\u00a0"]))
    assert frames.count_words(column, "x") == {"a": 2, "b": 1, "c": 1}


def test_a_session_without_an_id_has_no_number(frames):
    column = frames.from_host(pa.array(["z", None, "a", "z"]))
    assert host(frames, frames.number(column)) == [0, -1, 1, 0]


def test_a_file_is_read(frames, tmp_path):
    pq.write_table(pa.table({"a": ["x", None], "b": [1, 2], "c": [[1], []]}), tmp_path / "some.parquet")
    file = tmp_path / "some.parquet"
    assert host_array(frames, frames.read_values(file, "b")) == [1, 2]
    assert [host_array(frames, each) for each in frames.read_lists(file, "c")] == [[1], [1, 0]]
    frame = frames.read(file, ["b", "a"], categories=True)
    assert list(frame.columns) == ["b", "a"]
    assert host(frames, frame["a"]) == ["x", None] and host(frames, frame["b"]) == [1, 2]
