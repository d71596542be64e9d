"""Functions on flat arrays that work with both NumPy and CuPy.

`xp` is the library of the arrays, NumPy by default. Lists are represented by their concatenated values with
lengths or offsets. Functions that CuPy lacks or has in another form are avoided: `insert`, `lexsort` of
several arrays, `repeat` by an array.
"""

from __future__ import annotations

from typing import Any

import numpy as np

#: An array of NumPy or CuPy.
Array = Any


def widen_halves(halves: np.ndarray) -> np.ndarray:
    """Return floats of 16 bits as the float32 that was written: 6.37, not 6.3710938.

    Whole numbers stay as they are, though 65500 would be shorter than 65504.
    """
    exact = halves.astype(np.float32)
    return np.where(exact == np.trunc(exact), exact, halves.astype(str).astype(np.float32))


def repeat(values: Array, counts: Array, xp: Any = np) -> Array:
    """Repeat each value as often as its count says."""
    if xp is np:
        return np.repeat(values, counts)
    ends = xp.cumsum(counts)
    total = int(ends[-1]) if len(ends) else 0
    return values[xp.searchsorted(ends, xp.arange(total), side="right")]


def offsets_of(lengths: Array, xp: Any = np) -> Array:
    """Return the offsets of lists: where each begins, and where the last one ends, int64 [n + 1]."""
    return xp.concatenate([xp.zeros(1, xp.int64), xp.cumsum(lengths)])


def ragged_positions(starts: Array, lengths: Array, xp: Any = np) -> Array:
    """Return `start, ..., start + length - 1` for every pair, concatenated, int64."""
    ends = xp.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    return xp.arange(total) + repeat(starts - (ends - lengths), lengths, xp)


def places_in_lists(lengths: Array, xp: Any = np) -> Array:
    """Return 0, ..., length - 1 for every list, concatenated, int64."""
    return ragged_positions(0 * lengths, lengths, xp)


def number_by_first_mention(codes: Array, xp: Any = np) -> Array:
    """Renumber codes 0, 1, 2, ... in the order of their first occurrence; int64.

    Args:
        codes: a code per value, in any order, which together use every number from 0 on; -1 for no value.
        xp: library of the arrays.
    """
    known = xp.flatnonzero(codes >= 0)
    counts = xp.bincount(codes[known])
    # The sort is stable, so the first entry of a run of equal codes is their first occurrence.
    first = known[xp.argsort(codes[known], kind="stable")][xp.cumsum(counts) - counts]
    rank = xp.full(len(counts) + 1, -1, xp.int64)
    rank[xp.argsort(first, kind="stable")] = xp.arange(len(counts))
    # -1 indexes the last entry.
    return rank[codes]


def refine(groups: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Divide groups of entries by a code, so that entries of a new group have both in common.

    Args:
        groups: a number from 0 on for each entry, int64 [n].
        codes: likewise, int64 [n].

    Returns:
        The new groups, numbered from 0 on without gaps, int64 [n].
    """
    return np.unique(groups * (codes.max(initial=0) + 1) + codes, return_inverse=True)[1]


def is_in_order(major: Array, minor: Array) -> bool:
    """Tell whether entries are already sorted by `major`, then by `minor`."""
    later = major[1:] > major[:-1]
    return bool((later | ((major[1:] == major[:-1]) & (minor[1:] >= minor[:-1]))).all())


def order_by(major: Array, minor: Array, xp: Any = np) -> Array:
    """Return the stable order that sorts by `major`, then by `minor`."""
    order = xp.argsort(minor, kind="stable")
    return order[xp.argsort(major[order], kind="stable")]


def run_starts(values: Array, xp: Any = np) -> Array:
    """Return the position where each run of equal values begins."""
    changes = xp.concatenate([xp.ones(1, xp.bool_), values[1:] != values[:-1]])
    return xp.flatnonzero(changes[: len(values)])


def last_entries(offsets: Array, count: int, xp: Any = np) -> tuple[Array, Array]:
    """Return the positions of the last `count` entries of each list, and the lists' new lengths."""
    lengths = xp.minimum(offsets[1:] - offsets[:-1], count)
    return ragged_positions(offsets[1:] - lengths, lengths, xp), lengths


def known_entries(
    known: Array, parents: Array, rows: int, longest: int | None = None, xp: Any = np
) -> tuple[Array, Array]:
    """Drop unknown entries of lists, then cut the lists to `longest`.

    Args:
        known: which entries may stay, bool.
        parents: number of each entry's list, in rising order.
        rows: number of lists.
        longest: maximum number of entries kept of a list; None for no limit.
        xp: library of the arrays.

    Returns:
        The positions of the kept entries, and the lists' new lengths.
    """
    kept = xp.flatnonzero(known)
    of = parents[kept]
    counts = xp.bincount(of, minlength=rows)
    if longest is not None:
        kept, counts = kept[places_in_lists(counts, xp) < longest], xp.minimum(counts, longest)
    return kept, counts


def filled_entries(lengths: Array, xp: Any = np) -> tuple[Array, Array]:
    """Give every empty list one entry.

    Returns:
        For each new entry its old position, or the number of old entries if it fills an empty list; and the
        lists' new lengths, at least 1.
    """
    total, filled = int(lengths.sum()), xp.maximum(lengths, 1)
    source = xp.full(int(filled.sum()), total, xp.int64)
    starts = xp.cumsum(filled) - filled
    source[ragged_positions(starts, lengths, xp)] = xp.arange(total)
    return source, filled


def first_pieces(sizes: Array, words: Array, longest: int, xp: Any = np) -> tuple[Array, Array]:
    """Cut texts to their first `longest` pieces.

    Args:
        sizes: number of pieces of each word, for the words of all texts, concatenated.
        words: number of words of each text.
        longest: maximum number of pieces kept of a text.
        xp: library of the arrays.

    Returns:
        The number of pieces kept of each word, and of each text.
    """
    totals, ends = offsets_of(sizes, xp), xp.cumsum(words)
    per_text = totals[ends] - totals[ends - words]
    before = totals[:-1] - repeat(totals[ends - words], words, xp)
    kept = xp.minimum(xp.maximum(longest - before, 0), sizes)
    return kept, xp.minimum(per_text, longest)
