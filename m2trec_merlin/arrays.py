"""Work on flat arrays, written once for NumPy and for CuPy, which has fewer functions of the same names.

`xp` is the library of the arrays, NumPy by default. Lists are their values, one list behind the other, beside
lengths or offsets. Of the functions that CuPy lacks, or takes in other forms, none is used: `insert`,
`lexsort` of several arrays, `repeat` by an array.
"""

from __future__ import annotations

from typing import Any

import numpy as np

#: An array of NumPy or CuPy.
Array = Any


def repeat(values: Array, counts: Array, xp: Any = np) -> Array:
    """Return each value as often as its count says."""
    if xp is np:
        return np.repeat(values, counts)
    ends = xp.cumsum(counts)
    total = int(ends[-1]) if len(ends) else 0
    return values[xp.searchsorted(ends, xp.arange(total), side="right")]


def offsets_of(lengths: Array, xp: Any = np) -> Array:
    """Return where each list begins, and where the last one ends, int64 [n + 1]."""
    return xp.concatenate([xp.zeros(1, xp.int64), xp.cumsum(lengths)])


def ragged_positions(starts: Array, lengths: Array, xp: Any = np) -> Array:
    """Return `start, ..., start + length - 1` of every pair, one after the other, int64."""
    ends = xp.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    return xp.arange(total) + repeat(starts - (ends - lengths), lengths, xp)


def number_by_first_mention(codes: Array, xp: Any = np) -> Array:
    """Number distinct values 0, 1, 2, ... in the order in which they are first met; int64.

    Args:
        codes: 0, 1, ..., each value its own, none left out, in any order; -1 where there is no value.
        xp: library of the arrays.
    """
    known = xp.flatnonzero(codes >= 0)
    counts = xp.bincount(codes[known])
    # Stable, so that the first of equal codes is the one that comes first.
    first = known[xp.argsort(codes[known], kind="stable")][xp.cumsum(counts) - counts]
    rank = xp.full(len(counts) + 1, -1, xp.int64)
    rank[xp.argsort(first, kind="stable")] = xp.arange(len(counts))
    # The last entry is met by -1.
    return rank[codes]


def is_in_order(major: Array, minor: Array) -> bool:
    """Tell whether sorting by two arrays would change nothing."""
    later = major[1:] > major[:-1]
    return bool((later | ((major[1:] == major[:-1]) & (minor[1:] >= minor[:-1]))).all())


def order_by(major: Array, minor: Array, xp: Any = np) -> Array:
    """Return the stable order by one array, and by another one among equals."""
    order = xp.argsort(minor, kind="stable")
    return order[xp.argsort(major[order], kind="stable")]


def run_starts(values: Array, xp: Any = np) -> Array:
    """Return where values begin that differ from the one before."""
    changes = xp.concatenate([xp.ones(1, xp.bool_), values[1:] != values[:-1]])
    return xp.flatnonzero(changes[: len(values)])


def last_entries(offsets: Array, count: int, xp: Any = np) -> tuple[Array, Array]:
    """Return the positions of the last `count` entries of each list, and the lengths that are left."""
    lengths = xp.minimum(offsets[1:] - offsets[:-1], count)
    return ragged_positions(offsets[1:] - lengths, lengths, xp), lengths


def known_entries(
    known: Array, parents: Array, rows: int, longest: int | None = None, xp: Any = np
) -> tuple[Array, Array]:
    """Drop entries of lists, and those behind the first so many.

    Args:
        known: bool, which entries may stay.
        parents: for each entry the number of its list, in rising order.
        rows: how many lists there are.
        longest: entries kept of a list at most.
        xp: library of the arrays.

    Returns:
        The positions of what stays, and the lengths of the lists.
    """
    kept = xp.flatnonzero(known)
    of = parents[kept]
    counts = xp.bincount(of, minlength=rows)
    if longest is not None:
        place = xp.arange(len(of)) - (xp.cumsum(counts) - counts)[of]
        kept, counts = kept[place < longest], xp.minimum(counts, longest)
    return kept, counts


def filled_entries(lengths: Array, xp: Any = np) -> tuple[Array, Array]:
    """Give every empty list one entry.

    Returns:
        For each entry its position among the old ones, or how many these are where it fills an empty list;
        and the new lengths, at least 1.
    """
    total, filled = int(lengths.sum()), xp.maximum(lengths, 1)
    source = xp.full(int(filled.sum()), total, xp.int64)
    starts = xp.cumsum(filled) - filled
    source[ragged_positions(starts, lengths, xp)] = xp.arange(total)
    return source, filled


def first_pieces(sizes: Array, words: Array, longest: int, xp: Any = np) -> tuple[Array, Array]:
    """Cut texts to so many pieces.

    Args:
        sizes: pieces of each word, of all texts one after another.
        words: how many words each text has.
        longest: pieces kept of a text.
        xp: library of the arrays.

    Returns:
        How many pieces are kept of each word, and of each text.
    """
    totals, ends = offsets_of(sizes, xp), xp.cumsum(words)
    per_text = totals[ends] - totals[ends - words]
    before = totals[:-1] - repeat(totals[ends - words], words, xp)
    kept = xp.minimum(xp.maximum(longest - before, 0), sizes)
    return kept, xp.minimum(per_text, longest)
