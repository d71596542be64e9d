"""Work on flat arrays: with NumPy, with NumPy through CuPy's names, and beside plain Python."""

from __future__ import annotations

from itertools import accumulate, chain

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from m2trec_merlin import arrays
from tests.frames import keyhole

each = pytest.mark.parametrize("xp", [np, keyhole.cupy()], ids=["numpy", "names of cupy"])
small = st.lists(st.integers(0, 4), max_size=12)


@each
@given(small, st.integers(0, 50))
def test_ranges_one_after_the_other(xp, lengths, start):
    starts = [start + 7 * number for number in range(len(lengths))]
    wanted = list(chain.from_iterable(range(s, s + n) for s, n in zip(starts, lengths, strict=True)))
    found = arrays.ragged_positions(np.array(starts, np.int64), np.array(lengths, np.int64), xp)
    assert found.tolist() == wanted
    assert arrays.offsets_of(np.array(lengths, np.int64), xp).tolist() == [0, *accumulate(lengths)]
    places = arrays.places_in_lists(np.array(lengths, np.int64), xp)
    assert places.tolist() == list(chain.from_iterable(map(range, lengths)))


@each
@given(st.lists(st.none() | st.sampled_from("cab")))
def test_numbers_by_first_mention(xp, values):
    known = [value for value in dict.fromkeys(values) if value is not None]
    for alphabet in (known, sorted(known)):
        codes = np.array([-1 if v is None else alphabet.index(v) for v in values], np.int64)
        found = arrays.number_by_first_mention(codes, xp)
        assert found.tolist() == [-1 if v is None else known.index(v) for v in values]


@each
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3))))
def test_order_is_stable(xp, pairs):
    major, minor = (np.array(column, np.int64) for column in zip(*(pairs or [(0, 0)]), strict=True))
    order = arrays.order_by(major, minor, xp)
    assert order.tolist() == np.lexsort([minor, major]).tolist()
    assert arrays.is_in_order(major, minor) == (order.tolist() == list(range(len(order))))
    values = major[order]
    starts = [i for i in range(len(values)) if i == 0 or values[i] != values[i - 1]]
    assert arrays.run_starts(values, xp).tolist() == starts
    assert arrays.run_starts(values[:0], xp).tolist() == []


@each
@given(small, st.integers(1, 3))
def test_the_last_of_each_list(xp, lengths, count):
    offsets = [0, *accumulate(lengths)]
    lists = [list(range(offsets[i], offsets[i + 1]))[-count:] for i in range(len(lengths))]
    positions, kept = arrays.last_entries(np.array(offsets, np.int64), count, xp)
    assert positions.tolist() == list(chain.from_iterable(lists)) and kept.tolist() == list(map(len, lists))


@each
@given(st.lists(st.lists(st.booleans(), max_size=4), max_size=8), st.none() | st.integers(1, 3))
def test_entries_are_dropped_and_lists_filled(xp, lists, longest):
    known = np.array(list(chain.from_iterable(lists)), bool)
    parents = np.repeat(np.arange(len(lists)), np.array(list(map(len, lists)), np.int64))
    positions, counts = arrays.known_entries(known, parents, len(lists), longest, xp)
    numbers = iter(range(len(known)))
    wanted = [[n for n, k in [(next(numbers), k) for k in line] if k][:longest] for line in lists]
    assert positions.tolist() == list(chain.from_iterable(wanted))
    assert counts.tolist() == list(map(len, wanted))
    source, filled = arrays.filled_entries(counts, xp)
    places = iter(range(len(positions)))
    full = [[next(places) for _ in line] or [len(positions)] for line in wanted]
    assert source.tolist() == list(chain.from_iterable(full)) and filled.tolist() == list(map(len, full))


@each
@given(st.lists(small, max_size=6), st.integers(1, 6))
def test_texts_are_cut_to_so_many_pieces(xp, texts, longest):
    kept, per_text = arrays.first_pieces(
        np.array(list(chain.from_iterable(texts)), np.int64),
        np.array(list(map(len, texts)), np.int64),
        longest,
        xp,
    )
    wanted = []
    for sizes in texts:
        left = longest
        for size in sizes:
            wanted.append(min(size, left))
            left -= wanted[-1]
    assert kept.tolist() == wanted
    assert per_text.tolist() == [min(longest, sum(sizes)) for sizes in texts]


def test_entries_of_a_refined_group_have_both_numbers_in_common() -> None:
    groups, codes = np.array([0, 1, 0, 1, 0]), np.array([2, 2, 0, 2, 2])
    found = arrays.refine(groups, codes)
    assert found.tolist() == [1, 2, 0, 2, 1]
    assert not len(arrays.refine(groups[:0], codes[:0]))
