from __future__ import annotations

import ast
from pathlib import Path

import numpy as np

from m2trec_merlin.search import products as module
from m2trec_merlin.search.products import products, products_of

#: Write what a server reads: nobody waits for an answer while they do.
WRITERS = {"quantised.py", "ivf.py"}


def test_products_by_hand() -> None:
    found = products(np.array([[1, 2], [0, 0], [-3, 0.5]], np.float32), np.array([2, 1], np.float32))
    assert found.dtype == np.float32
    assert found.tolist() == [4, 0, -5.5]


def test_a_row_has_the_same_product_wherever_it_stands() -> None:
    *vectors, vector = np.random.default_rng(0).standard_normal((1_004, 67), np.float32)
    whole = products(np.array(vectors), vector)
    for start, stop in ((0, 1), (1, 8), (500, 1_003), (1_002, 1_003)):
        assert products(np.array(vectors[start:stop]), vector).tobytes() == whole[start:stop].tobytes()


def test_products_of_some_rows_are_theirs_in_any_company() -> None:
    *vectors, vector = np.random.default_rng(0).standard_normal((1_004, 67), np.float32)
    table = np.array(vectors)
    table[900] = table[3]
    rows = np.random.default_rng(1).permutation(1_003)
    found = products_of(table, rows, vector)
    np.testing.assert_allclose(found, products(table, vector)[rows], atol=1e-5)
    assert found[rows == 900].tobytes() == found[rows == 3].tobytes()
    for start, stop in ((0, 1), (1, 8), (500, 1_003), (7, 7)):
        assert products_of(table, rows[start:stop], vector).tobytes() == found[start:stop].tobytes()


def test_no_answer_is_made_by_matrix_products_of_a_blas() -> None:
    """Its threads spin after each: with a thousand items added, a request took three times the CPU time."""
    for path in Path(module.__file__).parent.glob("*.py"):
        operators = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.MatMult)]
        assert path.name in WRITERS or not operators, f"{path.name}: see products.py"
