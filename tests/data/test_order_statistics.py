from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from m2trec_merlin.data import order_statistics
from m2trec_merlin.data.order_statistics import NumbersOnDisk

_INT64 = st.integers(-(2**63), 2**63 - 1)


@given(blocks=st.lists(st.lists(_INT64 | st.integers(-3, 3), max_size=20), max_size=6), choose=st.data())
@settings(max_examples=60)
def test_it_agrees_with_sorting(blocks: list[list[int]], choose: st.DataObject) -> None:
    ordered = sorted(number for block in blocks for number in block)
    with NumbersOnDisk() as numbers:
        for block in blocks:
            numbers.add(np.array(block, np.int64))
        assert len(numbers) == len(ordered)
        if ordered:
            place = choose.draw(st.integers(0, len(ordered) - 1))
            assert numbers.nth(place) == ordered[place]
            numbers.add(np.array([5], np.int64))  # may go on after a look
            assert numbers.nth(0) == min(*ordered, 5)


def test_the_file_is_read_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order_statistics, "_READ_AT_ONCE", 7)
    values = np.random.default_rng(0).integers(-(10**15), 10**15, 100)
    with NumbersOnDisk() as numbers:
        numbers.add(values)
        assert [numbers.nth(place) for place in (0, 50, 99)] == np.sort(values)[[0, 50, 99]].tolist()


@pytest.mark.parametrize("place", [-1, 2])
def test_places_that_are_not_there(place: int) -> None:
    with NumbersOnDisk() as numbers:
        numbers.add(np.array([1, 2]))
        with pytest.raises(IndexError, match=f"place {place} of 2"):
            numbers.nth(place)
