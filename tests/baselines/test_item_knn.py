"""Items that stand in the same sessions."""

from __future__ import annotations

import numpy as np
import pytest

from m2trec_merlin.baselines.item_knn import POPULARITY_WEIGHT, SHRINKAGE, ItemKnn
from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.sessions import Sessions
from tests.evaluation.contracts import ItemScorerContract
from tests.worlds.encoded import tiny_catalogue


class TestItemKnn(ItemScorerContract):
    def build(self, catalogue: Catalogue, train: Sessions) -> ItemKnn:
        return ItemKnn(catalogue, train)


def score(train: list[list[int]], prefix: list[int]) -> np.ndarray:
    prefixes = Sessions.from_lists([[*prefix, 1]]).prefixes()
    return ItemKnn(tiny_catalogue(), Sessions.from_lists(train)).score(prefixes)[-1]


def test_likeness_counts_sessions_that_hold_both() -> None:
    """Items 1 and 3 share two sessions, 2 and 3 one; 1 is one step away; 1, 2, 3 are in 2, 1, 3 sessions."""
    scores = score([[1, 3], [3, 1, 2], [4, 3]], [1, 2])
    expected = 0.5 * 2 / (np.sqrt(2 * 3) + SHRINKAGE) + 1 / (np.sqrt(1 * 3) + SHRINKAGE)
    assert scores[3] == pytest.approx(expected, abs=POPULARITY_WEIGHT)
    assert 0 <= scores[4] <= POPULARITY_WEIGHT, "it stands beside none of the two"
    assert np.isneginf(scores[[0, 1, 2, 25]]).all(), "no item, the session's own, never seen"


def test_own_items_stay_where_sessions_repeat_them() -> None:
    assert np.isfinite(score([[1, 2, 1], [2, 1, 2]], [1, 2])[[1, 2]]).all()
