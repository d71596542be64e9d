"""Which session holds which item, as sparse matrices, and what these hold."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from m2trec_merlin.compiled import compiled
from m2trec_merlin.encoded import NO_ITEM
from m2trec_merlin.histories import Events
from m2trec_merlin.scratch import Zeros
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


class SparseLines:
    """A sparse matrix of which some lines are asked for at a time.

    SciPy's product of a vector and a matrix is the same as `sums`, and takes longer to get ready.

    Args:
        matrix: of any shape, none of it below 0.

    Attributes:
        lengths: entries of each line.
    """

    def __init__(self, matrix: sparse.csr_matrix) -> None:
        self.matrix = matrix
        self.lengths: np.ndarray = np.diff(matrix.indptr)
        self._zeros = Zeros(matrix.shape[1], np.float64)

    def products(self, lines: np.ndarray, columns: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Multiply lines by a vector of few values.

        Args:
            lines: int64 [m].
            columns: in which the vector has something, int64 [n].
            values: what it has there, float64 [n].

        Returns:
            float64 [m].
        """
        of = self.matrix
        return _products(of.indptr, of.indices, of.data, lines, columns, values, self._zeros.array)

    def sums(self, lines: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Add weighted lines up: return the columns whose sums are above 0, in no order, and the sums.

        Args:
            lines: int64 [m].
            weights: float64 [m], none below 0.

        Returns:
            int64 [n] and float64 [n].
        """
        of = self.matrix
        return _sums(of.indptr, of.indices, of.data, lines, weights, self._zeros.array)

    def greatest(self, lines: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Return the greatest value of the columns in which each line has something, or 0: float64 [m].

        Args:
            lines: int64 [m].
            values: float64, of each column.
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
    # Which sums are new cannot be foreseen: every column is written behind those found, and stays if it is.
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
    """Return float32 [P, R]: 1 / (1 + steps to the end) of each item that a prefix holds."""
    weights = (1 / (1 + items.distance)).astype(np.float32)
    return sparse.csr_matrix((weights, (items.prefix, items.row)), (n_prefixes, n_rows))
