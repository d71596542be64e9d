from __future__ import annotations

import numpy as np

from m2trec_merlin.serving.runtime import similar
from m2trec_merlin.serving.runtime.candidates import Wish
from m2trec_merlin.serving.runtime.similar import Cosines

#: Row 0 is no item, and row 4 has no direction.
VECTORS = np.array([[9, 9], [3, 0], [0, 0.5], [1, 1], [0, 0], [-2, 0]], np.float32)


def test_scores_are_cosines_and_no_item_is_found() -> None:
    found = Cosines(VECTORS).search(np.array([2, 0], np.float32), Wish(5))
    assert found.rows.tolist() == [1, 3, 2, 4, 5]
    np.testing.assert_allclose(found.scores, [1, np.sqrt(0.5), 0, 0, -1], atol=1e-6)


def test_what_a_wish_forbids_is_not_found() -> None:
    allowed = np.array([True, True, True, True, False, True])
    found = Cosines(VECTORS).search(np.array([0, 1], np.float32), Wish(2, (), np.array([2]), allowed))
    assert found.rows.tolist() == [3, 1]


def test_vectors_are_measured_a_block_at_a_time() -> None:
    rows = similar._ROWS_AT_A_TIME
    many = np.ones((rows + 2, 1), np.float32)
    many[rows + 1] = 7
    assert Cosines(many).search(np.ones(1, np.float32), Wish(rows + 1)).scores.tolist() == [1.0] * (rows + 1)
