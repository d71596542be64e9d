from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from m2trec_merlin.neighbours.incidence import entries_of, lines_of


@pytest.mark.parametrize("lines", [[2, 0], [1, 2, 1], [1], []])
def test_lines_are_joined_in_the_order_asked_for(lines: list[int]) -> None:
    matrix = sparse.csr_matrix(np.array([[0, 5, 6], [0, 0, 0], [7, 0, 8]], np.float32))
    held = {0: [(1, 5), (2, 6)], 1: [], 2: [(0, 7), (2, 8)]}
    (columns, values), lengths = lines_of(matrix, np.array(lines, np.int64), matrix.indices, matrix.data)
    assert list(zip(columns.tolist(), values.tolist(), strict=True)) == [e for n in lines for e in held[n]]
    assert lengths.tolist() == [len(held[n]) for n in lines]
    entries, same_lengths = entries_of(matrix, np.array(lines, np.int64))
    np.testing.assert_array_equal(matrix.indices[entries], columns)
    np.testing.assert_array_equal(same_lengths, lengths)
