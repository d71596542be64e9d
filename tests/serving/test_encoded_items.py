from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from m2trec_merlin.serving.encoded_items import Attribute, EncodedItems, join_items, no_items, split_items

ATTRIBUTES = [
    Attribute("title", "text", "name"),
    Attribute("aisle", "categorical", "aisle"),
    Attribute("price", "numeric", "price"),
    Attribute("image", "vector", "image", 2),
]


def items(lists: list[list[int]]) -> EncodedItems:
    count = len(lists)
    return {
        "title__values": np.array([v for each in lists for v in each], np.int64),
        "title__offsets": np.cumsum([0, *map(len, lists)], dtype=np.int64),
        "aisle": np.arange(count),
        "price": np.arange(count, dtype=np.float32),
        "image": np.arange(2 * count, dtype=np.float32).reshape(count, 2),
    }


def test_no_items_have_the_types_and_shapes_of_some() -> None:
    some, none = items([[1]]), no_items(ATTRIBUTES)
    assert {name: (a.dtype, a.shape[1:]) for name, a in none.items()} == {
        name: (a.dtype, a.shape[1:]) for name, a in some.items()
    }
    assert none["title__offsets"].tolist() == [0]


def test_joined_lists_stay_apart() -> None:
    joined = join_items([items([[1, 2], [3]]), no_items(ATTRIBUTES), items([[4, 5, 6]])])
    assert joined["title__values"].tolist() == [1, 2, 3, 4, 5, 6]
    assert joined["title__offsets"].tolist() == [0, 2, 3, 6]
    assert joined["aisle"].tolist() == [0, 1, 0]


@given(
    st.lists(
        st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=4), max_size=3), min_size=1, max_size=4
    )
)
def test_split_is_the_reverse_of_join(groups: list[list[list[int]]]) -> None:
    parts = [items(group) for group in groups]
    again = split_items(join_items(parts), [len(group) for group in groups])
    for part, other in zip(parts, again, strict=True):
        assert part.keys() == other.keys()
        for name, array in part.items():
            np.testing.assert_array_equal(array, other[name])
