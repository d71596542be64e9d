"""What every library of data frames has to do, held against plain Python."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from m2trec_merlin.frames import frames_of
from m2trec_merlin.frames.pandas_frames import PandasFrames
from m2trec_merlin.frames.protocol import Frames
from m2trec_merlin.ids import IdIndex

LIBRARIES = [PandasFrames()]
each = pytest.mark.parametrize("frames", LIBRARIES, ids=lambda frames: type(frames).__name__)


def host(frames: Frames, column) -> list:
    return frames.to_host(column).to_pylist()


def test_a_frame_finds_its_library():
    assert isinstance(frames_of(pd.DataFrame()), PandasFrames)


def test_another_library_is_refused_by_its_name():
    with pytest.raises(TypeError, match=r"frames of 'builtins' are not known; accepted: pandas"):
        frames_of({})  # type: ignore[arg-type]


@each
def test_columns_come_and_go(frames):
    frame = frames.frame({"a": frames.from_host(pa.array([1, 2, 3]))})
    wider = frames.with_columns(frame, {"b": frames.from_host(pa.array(["x", None, "z"]))})
    assert list(frame.columns) == ["a"] and list(wider.columns) == ["a", "b"]
    kept = frames.keep(wider, np.array([True, False, True]))
    assert host(frames, kept["a"]) == [1, 3] and host(frames, kept["b"]) == ["x", "z"]


@each
@settings(deadline=None)
@given(st.lists(st.none() | st.sampled_from(["a", "b", "c"]), min_size=1))
def test_looking_up_asks_once_for_each_distinct_value(frames, values):
    asked: list[list[str]] = []

    def ids(distinct: pa.Array) -> np.ndarray:
        asked.append(distinct.to_pylist())
        return np.array([ord(value) for value in distinct.to_pylist()], np.int64)

    column = frames.from_host(pa.array(values, pa.string()))
    assert host(frames, frames.look_up(column, ids, 1)) == [ord(v) if v else 1 for v in values]
    assert sorted(asked[0]) == sorted({v for v in values if v})


@each
@settings(deadline=None)
@given(st.lists(st.none() | st.lists(st.none() | st.sampled_from(["a", "b"]))))
def test_values_of_lists_are_looked_up_and_no_list_is_empty(frames, lists):
    # A column of nothing but nulls has no type in pandas.
    lists = [["a"], *lists]
    column = frames.from_host(pa.array(lists, pa.list_(pa.string())))
    found = frames.look_up(column, lambda d: np.array([ord(v) for v in d.to_pylist()], np.int64), 1)
    assert host(frames, found) == [[ord(v) for v in line or [] if v] or [1] for line in lists]


@each
def test_vectors_of_texts_are_made_once_for_each(frames):
    def encode(texts: pa.Array) -> np.ndarray:
        assert texts.to_pylist() == ["ab", "c"]
        return np.array([[len(text), 1] for text in texts.to_pylist()], np.float32)

    column = frames.from_host(pa.array(["ab", None, " ab ", "c", ""]))
    assert host(frames, frames.vectors_of(column, "x", encode, 2)) == [[2, 1], [0, 0], [2, 1], [1, 1], [0, 0]]


@each
@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("xyz"), st.integers(0, 9)), min_size=1))
def test_events_are_numbered_grouped_and_cut(frames, events):
    frame = frames.frame(
        {
            "id": frames.from_host(pa.array([name for name, _ in events])),
            "place": frames.from_host(pa.array([place for _, place in events])),
            "row": frames.from_host(pa.array(range(len(events)))),
        }
    )
    frame = frames.with_columns(frame, {"number": frames.number(frame["id"])})
    grouped = frames.group(frame, ["number", "id"], ["number", "place"], "row")
    names = list(dict.fromkeys(name for name, _ in events))
    places = [sorted(place for other, place in events if other == name) for name in names]
    assert host(frames, grouped["id"]) == names
    assert host(frames, grouped["row_count"]) == [len(line) for line in places]
    rows = host(frames, grouped["row_list"])
    assert [[events[row][1] for row in line] for line in rows] == places
    assert host(frames, frames.last(grouped["row_list"], 2)) == [line[-2:] for line in rows]


@each
def test_ids_are_found_by_position(frames):
    column = frames.from_host(pa.array([30, 5, 10]))
    assert frames.find(column, IdIndex(pd.Series([10, 20, 30]))).tolist() == [2, -1, 0]


@each
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
