from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from m2trec_merlin.ids import IdIndex, numbered

near = st.integers(-20, 20)
far = st.integers(-(2**63), 2**63 - 1)


@pytest.mark.parametrize("kind", [near, far, st.text("abc", max_size=2)])
@given(st.data())
def test_positions_are_those_of_a_dictionary(kind, data):
    known = data.draw(st.lists(kind, unique=True, min_size=1))
    asked = data.draw(st.lists(kind | st.sampled_from(known)))
    dtype = object if isinstance(known[0], str) else "int64"
    expected = [known.index(each) if each in known else -1 for each in asked]
    index = pickle.loads(pickle.dumps(IdIndex(pd.Series(known, dtype=dtype))))
    for _ in range(2):
        assert index.find(pd.Series(asked, dtype=dtype)).tolist() == expected
    assert index.find(pd.Series(asked, dtype=dtype).astype("category")).tolist() == expected


@pytest.mark.parametrize("dtype", ["int8", "int32", "uint8", "uint64", object])
def test_other_types_of_integers_are_found(dtype):
    assert IdIndex(pd.Series([7, 300, 5])).find(pd.Series([5, 6, 7], dtype=dtype)).tolist() == [2, -1, 0]


def test_missing_ids_are_not_found():
    index = IdIndex(pd.Series([7, 5]))
    assert index.find(pd.Series([None, 5], dtype=object)).tolist() == [-1, 1]
    assert index.find(pd.Series([None, 5], dtype="Int64")).tolist() == [-1, 1]
    assert index.find(pd.Series(["7", None], dtype="category")).tolist() == [0, -1]


@pytest.mark.parametrize("ids", [[7, 5], ["7", "5"]])
def test_ids_are_equal_if_their_texts_are(ids):
    index = IdIndex(pd.Series(ids))
    for asked in (["5", "07", "7"], ["5", None, 7]):
        assert index.find(pd.Series(asked, dtype=object)).tolist() == [1, -1, 0]
    assert index.find(pd.Series([5, 6, 7])).tolist() == [1, -1, 0]


def test_nothing_is_found_among_no_ids():
    assert IdIndex(pd.Series([], dtype="int64")).find(pd.Series([1])).tolist() == [-1]


def test_neither_index_travels():
    index = IdIndex(pd.Series(np.arange(1000)))
    index.find(pd.Series([1]))
    assert index.__getstate__().keys() == {"ids"}


@given(st.lists(st.none() | st.text("ab\0", max_size=3)) | st.lists(st.none() | st.integers(0, 3)))
def test_ids_are_numbered_as_by_a_dictionary(ids):
    numbers, first = numbered(pd.Series(ids, dtype=object))
    known: dict[object, int] = {}
    assert numbers.tolist() == [known.setdefault(each, len(known)) for each in ids]
    assert [ids[place] for place in first] == list(known)
