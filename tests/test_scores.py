from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from m2trec_merlin.scores import best_rows

# Few distinct values, so that ties are common; up to several blocks of 64.
SCORES = arrays(np.float32, st.integers(1, 400), elements=st.sampled_from([-np.inf, -2.0, 0.0, 0.5, 3.0]))


def test_best_rows_come_in_order_of_score() -> None:
    assert best_rows(np.array([-np.inf, 1, 5, 3], np.float32), 2).tolist() == [2, 3]


def test_equal_scores_keep_the_order_of_rows() -> None:
    assert best_rows(np.array([-np.inf, 1, 2, 1, 2, 1], np.float32), 4).tolist() == [2, 4, 1, 3]


def test_rows_without_a_finite_score_are_never_returned() -> None:
    assert best_rows(np.array([-np.inf, -np.inf, 0.0], np.float32), 3).tolist() == [2]
    assert best_rows(np.array([-np.inf, -np.inf], np.float32), 1).tolist() == []


@given(SCORES, st.integers(1, 12) | st.just(500))
def test_best_rows_equal_a_full_sort(scores: np.ndarray, top_k: int) -> None:
    reference = sorted((row for row, score in enumerate(scores) if score > -np.inf), key=lambda r: -scores[r])
    assert best_rows(scores, top_k).tolist() == reference[:top_k]


def test_best_rows_of_many_different_scores() -> None:
    scores = np.random.default_rng(0).permutation(100_003).astype(np.float32)
    assert scores[best_rows(scores, 20)].tolist() == list(range(100_002, 99_982, -1))
