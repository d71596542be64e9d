"""Lines of a sparse matrix, added up."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from m2trec_merlin.neighbours.incidence import SparseLines

DENSE = np.array([[0, 5, 6], [0, 0, 0], [7, 0, 8]], np.float32)


def as_dict(found: tuple[np.ndarray, np.ndarray]) -> dict[int, float]:
    columns, sums = found
    assert len(np.unique(columns)) == len(columns)
    return dict(zip(columns.tolist(), sums.tolist(), strict=True))


@pytest.mark.parametrize(
    ("lines", "weights", "expected"),
    [
        ([2, 0], [1.0, 0.5], {0: 7, 1: 2.5, 2: 11}),
        ([0, 0], [1.0, 1.0], {1: 10, 2: 12}),
        ([0, 2], [0.0, 1.0], {0: 7, 2: 8}),
        ([1], [3.0], {}),
        ([], [], {}),
    ],
)
def test_lines_are_added_up_by_their_weights(
    lines: list[int], weights: list[float], expected: dict[int, float]
) -> None:
    of = SparseLines(sparse.csr_matrix(DENSE))
    for _ in range(2):  # nothing is left of the sums before
        assert as_dict(of.sums(np.array(lines, np.int64), np.array(weights))) == expected


@given(
    st.lists(st.lists(st.integers(0, 3), min_size=5, max_size=5), min_size=1, max_size=6),
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 4)), max_size=8),
)
def test_sums_are_products_of_a_vector_and_the_matrix(
    rows: list[list[int]], asked: list[tuple[int, int]]
) -> None:
    dense = np.array(rows, np.float32)
    lines = np.array([line % len(rows) for line, _ in asked], np.int64)
    weights = np.array([weight for _, weight in asked], float)
    expected = weights @ dense[lines]
    found = as_dict(SparseLines(sparse.csr_matrix(dense)).sums(lines, weights))
    assert found == {column: value for column, value in enumerate(expected.tolist()) if value > 0}


def test_the_greatest_value_of_the_columns_of_each_line_is_found() -> None:
    of = SparseLines(sparse.csr_matrix(DENSE))
    assert of.greatest(np.array([2, 1, 0]), np.array([3.0, 1.0, 2.0])).tolist() == [3, 0, 2]


def test_threads_do_not_add_to_each_others_sums() -> None:
    generator = np.random.default_rng(0)
    of = SparseLines(
        sparse.random_array((40, 3000), density=0.5, format="csr", random_state=generator, dtype=np.float32)
    )
    asked = [generator.integers(0, 40, 30) for _ in range(200)]
    weights = np.ones(30)
    expected = [as_dict(of.sums(lines, weights)) for lines in asked]
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda lines: as_dict(of.sums(lines, weights)), asked))
    assert found == expected
