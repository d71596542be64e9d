"""Which session holds which item, as sparse matrices, and what these hold."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from m2trec_merlin.arrays import ragged_positions
from m2trec_merlin.encoded import NO_ITEM
from m2trec_merlin.histories import Events
from m2trec_merlin.sessions import Sessions


def held_by(sessions: Sessions, n_rows: int) -> sparse.csr_matrix:
    """Return float32 [S, R]: 1 where a session holds an item of the catalogue."""
    session = np.repeat(np.arange(len(sessions)), sessions.lengths)
    known = sessions.rows != NO_ITEM
    ones = np.ones(int(known.sum()), np.float32)
    matrix = sparse.csr_matrix((ones, (session[known], sessions.rows[known])), (len(sessions), n_rows))
    matrix.sum_duplicates()
    matrix.data[:] = 1
    return matrix


def entries_of(matrix: sparse.csr_matrix, lines: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where the entries of some lines stand, one line behind the other, and how many each line has.

    SciPy does the same by a matrix of these lines, and takes longer for that than for all else.

    Args:
        matrix: of any shape.
        lines: int64 [m].
    """
    starts = matrix.indptr[lines]
    lengths = matrix.indptr[lines + 1] - starts
    return ragged_positions(starts, lengths), lengths


def lines_of(
    matrix: sparse.csr_matrix, lines: np.ndarray, *values: np.ndarray
) -> tuple[list[np.ndarray], np.ndarray]:
    """Return what arrays hold of the entries of some lines, and how many each line has.

    Of few and long lines this is twice as fast as by `entries_of`.

    Args:
        matrix: of any shape.
        lines: int64 [m].
        values: of its entries, such as `matrix.indices`.
    """
    starts, stops = matrix.indptr[lines], matrix.indptr[lines + 1]
    entries = [slice(*bounds) for bounds in zip(starts.tolist(), stops.tolist(), strict=True)]
    joined = [np.concatenate([each[:0], *(each[entry] for entry in entries)]) for each in values]
    return joined, stops - starts


def sums_of(indices: np.ndarray, weights: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices that weights above 0 belong to, int64 [n], rising, and their sums, float64 [n].

    Args:
        indices: int [m], below `size`.
        weights: float [m], none below 0.
        size: of what is pointed to.
    """
    sums = np.bincount(indices, weights, size)
    found = np.flatnonzero(sums > 0)
    return found, sums[found]


def weights_before(items: Events, n_prefixes: int, n_rows: int) -> sparse.csr_matrix:
    """Return float32 [P, R]: 1 / (1 + steps to the end) of each item that a prefix holds."""
    weights = (1 / (1 + items.distance)).astype(np.float32)
    return sparse.csr_matrix((weights, (items.prefix, items.row)), (n_prefixes, n_rows))
