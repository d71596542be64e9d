"""Sparse matrices of sessions and the items that they hold, with fast products of a few lines."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from m2trec_merlin.compiled import compiled
from m2trec_merlin.encoded import NO_ITEM
from m2trec_merlin.histories import Events
from m2trec_merlin.scratch import Zeros
from m2trec_merlin.sessions import Sessions


def held_by(sessions: Sessions, n_rows: int) -> sparse.csr_matrix:
    """Return a matrix with a 1 for each known item that a session holds, float32 [S, R]."""
    session = np.repeat(np.arange(len(sessions)), sessions.lengths)
    known = sessions.rows != NO_ITEM
    ones = np.ones(int(known.sum()), np.float32)
    matrix = sparse.csr_matrix((ones, (session[known], sessions.rows[known])), (len(sessions), n_rows))
    matrix.sum_duplicates()
    matrix.data[:] = 1
    return matrix


class SparseLines:
    """A sparse matrix with fast operations on a few of its lines.

    SciPy's product of a vector and a matrix gives the same result as `sums`, with more overhead per call.

    Args:
        matrix: a matrix of any shape, without negative entries.

    Attributes:
        lengths: number of entries in each line.
    """

    def __init__(self, matrix: sparse.csr_matrix) -> None:
        self.matrix = matrix
        self.lengths: np.ndarray = np.diff(matrix.indptr)
        self._zeros = Zeros(matrix.shape[1], np.float64)

    def products(self, lines: np.ndarray, columns: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Multiply lines by a sparse vector.

        Args:
            lines: indices of the lines, int64 [m].
            columns: columns of the vector's entries, int64 [n].
            values: the entries, float64 [n].

        Returns:
            The products, float64 [m].
        """
        of = self.matrix
        return _products(of.indptr, of.indices, of.data, lines, columns, values, self._zeros.array)

    def sums(self, lines: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the weighted sum of lines, as a sparse vector.

        Args:
            lines: indices of the lines, int64 [m].
            weights: weight of each line, not negative, float64 [m].

        Returns:
            The columns whose sums are above 0, unordered, int64 [n]; and the sums, float64 [n].
        """
        of = self.matrix
        return _sums(of.indptr, of.indices, of.data, lines, weights, self._zeros.array)

    def greatest(self, lines: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Return, for each line, the greatest value among the columns of its entries, or 0: float64 [m].

        Args:
            lines: indices of the lines, int64 [m].
            values: a value for each column, float64.
        """
        return _greatest(self.matrix.indptr, self.matrix.indices, lines, values)


@compiled
def _sums(
    starts: np.ndarray,
    indices: np.ndarray,
    values: np.ndarray,
    lines: np.ndarray,
    weights: np.ndarray,
    zeros: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    n_entries = 0
    for line in lines:
        n_entries += starts[line + 1] - starts[line]
    # A branch on "column is new" is mispredicted: each column is written, and kept by counting it if new.
    columns, count = np.empty(min(n_entries, len(zeros)) + 1, np.int64), 0
    for place in range(len(lines)):
        for entry in range(starts[lines[place]], starts[lines[place] + 1]):
            column, added = indices[entry], weights[place] * values[entry]
            columns[count] = column
            count += (zeros[column] == 0) & (added > 0)
            zeros[column] += added
    columns = columns[:count]
    sums = zeros[columns]
    zeros[columns] = 0
    return columns, sums


@compiled
def _products(
    starts: np.ndarray,
    indices: np.ndarray,
    data: np.ndarray,
    lines: np.ndarray,
    columns: np.ndarray,
    values: np.ndarray,
    zeros: np.ndarray,
) -> np.ndarray:
    zeros[columns] = values
    products = np.zeros(len(lines))
    for place in range(len(lines)):
        for entry in range(starts[lines[place]], starts[lines[place] + 1]):
            products[place] += data[entry] * zeros[indices[entry]]
    zeros[columns] = 0
    return products


@compiled
def _greatest(starts: np.ndarray, indices: np.ndarray, lines: np.ndarray, values: np.ndarray) -> np.ndarray:
    greatest = np.zeros(len(lines))
    for place in range(len(lines)):
        for entry in range(starts[lines[place]], starts[lines[place] + 1]):
            greatest[place] = max(greatest[place], values[indices[entry]])
    return greatest


def weights_before(items: Events, n_prefixes: int, n_rows: int) -> sparse.csr_matrix:
    """Return 1 / (1 + steps to the end) for each item that a prefix holds, float32 [P, R]."""
    weights = (1 / (1 + items.distance)).astype(np.float32)
    return sparse.csr_matrix((weights, (items.prefix, items.row)), (n_prefixes, n_rows))
