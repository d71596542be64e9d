from __future__ import annotations

from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from m2trec_merlin import scores as module
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


@given(SCORES, st.integers(1, 12) | st.sampled_from([100, 399, 500]), st.sampled_from([0, 1_024]))
def test_best_rows_equal_a_full_sort(scores: np.ndarray, top_k: int, few: int) -> None:
    reference = sorted((row for row, score in enumerate(scores) if score > -np.inf), key=lambda r: -scores[r])
    with patch.object(module, "_FEW", few):
        assert best_rows(scores, top_k).tolist() == reference[:top_k]


@pytest.mark.parametrize("top_k", [20, 1_562, 1_563, 50_000])
def test_best_rows_of_many_different_scores(top_k: int) -> None:
    scores = np.random.default_rng(0).permutation(100_003).astype(np.float32)
    assert scores[best_rows(scores, top_k)].tolist() == list(range(100_002, 100_002 - top_k, -1))
