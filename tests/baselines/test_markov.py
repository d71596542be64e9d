"""The first-order Markov chain."""

from __future__ import annotations

import numpy as np
import pytest

from m2trec_merlin.baselines.markov import POPULARITY_WEIGHT, Markov
from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.sessions import Sessions
from tests.evaluation.contracts import ItemScorerContract
from tests.worlds.encoded import tiny_catalogue


class TestMarkov(ItemScorerContract):
    def build(self, catalogue: Catalogue, train: Sessions) -> Markov:
        return Markov(catalogue, train)


def score(train: list[list[int]], prefix: list[int]) -> np.ndarray:
    prefixes = Sessions.from_lists([[*prefix, 1]]).prefixes()
    return Markov(tiny_catalogue(), Sessions.from_lists(train)).score(prefixes)[-1]


def test_shares_of_what_followed_the_last_item() -> None:
    """After item 2 came item 3 twice and item 4 once; between sessions nothing follows."""
    scores = score([[1, 2, 3], [2, 3], [2, 4], [2], [5, 6]], [1, 2])
    assert scores[3] == pytest.approx(2 / 3, abs=POPULARITY_WEIGHT)
    assert scores[4] == pytest.approx(1 / 3, abs=POPULARITY_WEIGHT)
    assert 0 <= scores[5] <= POPULARITY_WEIGHT
    assert np.isneginf(scores[[0, 1, 2, 25]]).all(), "no item, the session's own, never seen"


def test_items_outside_of_the_catalogue_are_followed_by_the_most_popular() -> None:
    scores = score([[0, 3], [3, 0], [1, 2]], [0])
    assert scores[1:25].argmax() == 0
    assert scores.max() <= POPULARITY_WEIGHT + 1e-6


def test_own_items_stay_where_sessions_repeat_them() -> None:
    scores = score([[1, 2, 1], [2, 1, 2]], [1, 2])
    assert scores.argmax() == 1
