from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from m2trec_merlin.encoded import (
    EncodedColumn,
    EncodedItems,
    Field,
    Layout,
    from_tensors,
    join_items,
    no_items,
    split_items,
    to_tensors,
)

FIELDS = [
    Field("title", Layout.ID_LISTS, 9),
    Field("aisle", Layout.IDS, 5),
    Field("price", Layout.NUMBERS),
    Field("image", Layout.VECTORS, 2),
]
RAW = {
    "title": [[3, 4], [1], [5, 6, 7]],
    "aisle": [3, 1, 4],
    "price": [0.5, -1.0, 0.0],
    "image": [[1.0, 2.0], [0.0, 0.0], [3.0, 4.0]],
}


def items() -> EncodedItems:
    return {f.name: EncodedColumn.from_arrow(f, pa.array(RAW[f.name], f.arrow_type)) for f in FIELDS}


def assert_equal(some: EncodedItems, other: EncodedItems) -> None:
    mine, theirs = to_tensors(some), to_tensors(other)
    assert mine.keys() == theirs.keys()
    for name, array in mine.items():
        assert array.dtype == theirs[name].dtype and array.tolist() == theirs[name].tolist()


def test_each_layout_has_its_tensors():
    tensors = to_tensors(items())
    assert list(tensors) == ["title__values", "title__offsets", "aisle", "price", "image"]
    assert {name: str(array.dtype) for name, array in tensors.items()} == {
        "title__values": "int64",
        "title__offsets": "int64",
        "aisle": "int64",
        "price": "float32",
        "image": "float32",
    }
    assert tensors["title__offsets"].tolist() == [0, 2, 3, 6] and tensors["image"].shape == (3, 2)
    assert_equal(from_tensors(FIELDS, tensors), items())


def test_a_tensor_that_is_not_there_is_named():
    with pytest.raises(KeyError, match="title__offsets"):
        from_tensors(FIELDS, {"title__values": np.zeros(0, np.int64)})


def test_no_items_have_the_types_of_items():
    empty = to_tensors(no_items(FIELDS))
    for name, array in to_tensors(items()).items():
        assert array.dtype == empty[name].dtype and array.shape[1:] == empty[name].shape[1:]
    assert all(len(column) == 0 for column in no_items(FIELDS).values())


@given(st.lists(st.integers(0, 2), min_size=1))
def test_cutting_is_the_reverse_of_joining(counts):
    parts = [{name: column.slice(0, count) for name, column in items().items()} for count in counts]
    for part, again in zip(parts, split_items(join_items(parts), counts), strict=True):
        assert_equal(part, again)


@given(st.lists(st.integers(0, 2)))
def test_items_are_taken_in_any_order(chosen):
    for name, column in items().items():
        taken = column.take(np.array(chosen, np.int64))
        assert len(taken) == len(chosen)
        assert [taken.of(i).tolist() for i in range(len(chosen))] == [column.of(i).tolist() for i in chosen]
        assert taken.field is column.field, name


def test_the_row_of_no_item_says_nothing():
    rows = {field.name: EncodedColumn.no_item(field).of(0).tolist() for field in FIELDS}
    assert rows == {"title": [1], "aisle": [1], "price": [0.0], "image": [[0.0, 0.0]]}


def test_an_empty_list_is_refused():
    with pytest.raises(ValueError, match="attribute 'title' has an empty list"):
        EncodedColumn.from_arrow(FIELDS[0], pa.array([[1], []], FIELDS[0].arrow_type))


def test_items_have_equal_codes_where_all_their_values_are_equal() -> None:
    encoded = items()
    for name, column in encoded.items():
        codes = column.take(np.array([2, 0, 1, 2, 0])).codes
        assert codes.tolist() == [0, 1, 2, 0, 1], name
        assert not len(EncodedColumn.empty(column.field).codes)
    titles = EncodedColumn.from_arrow(
        FIELDS[0], pa.array([[3, 4], [3], [4, 3], [3, 4]], FIELDS[0].arrow_type)
    )
    assert titles.codes.tolist() == [0, 1, 2, 0]
