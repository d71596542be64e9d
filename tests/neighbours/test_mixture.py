"""A model mixed with its neighbours."""

from __future__ import annotations

import numpy as np
import pytest

from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.evaluation.baselines import Popularity
from m2trec_merlin.neighbours.mixture import Mixture
from m2trec_merlin.neighbours.session_knn import SessionKnn
from m2trec_merlin.sessions import Prefixes, Sessions
from tests.evaluation.contracts import ItemScorerContract

PREFIXES = Sessions.from_lists([[1, 2]]).prefixes()


class Fixed:
    """Recommends by given scores, whatever the prefix."""

    name = "fixed"
    candidates = "three items"

    def __init__(self, scores: list[float]) -> None:
        self.scores = np.array([scores], np.float32)

    def score(self, prefixes: Prefixes) -> np.ndarray:
        return np.repeat(self.scores, len(prefixes), axis=0)


class TestBlend(ItemScorerContract):
    def build(self, catalogue: Catalogue, train: Sessions) -> Mixture:
        return Mixture("both", Popularity(catalogue, train), SessionKnn(catalogue, train))


def test_logarithms_of_both_are_added() -> None:
    """Odds 1 : 3 of the model, neighbours 0.5 and 0: log 1/4 + 2 log 0.6 and log 3/4 + 2 log 0.1."""
    model, neighbours = Fixed([-np.inf, 0.0, np.log(3)]), Fixed([-np.inf, 0.5, 0.0])
    scores = Mixture("both", model, neighbours, weight=2, floor=0.1).score(PREFIXES)
    expected = [-np.inf, np.log(0.25) + 2 * np.log(0.6), np.log(0.75) + 2 * np.log(0.1)]
    np.testing.assert_allclose(scores[0], expected, rtol=1e-5)


def test_neighbours_alone_recommend_nothing_and_rule_nothing_out() -> None:
    model, neighbours = Fixed([-np.inf, 0.0, -np.inf]), Fixed([-np.inf, -np.inf, 1.0])
    scores = Mixture("both", model, neighbours).score(PREFIXES)
    assert np.isfinite(scores[0]).tolist() == [False, True, False]


def test_scores_of_both_are_left_as_they_were() -> None:
    model, neighbours = Fixed([-np.inf, 0.0, 1.0]), Fixed([-np.inf, 0.5, 0.0])
    Mixture("both", model, neighbours).score(PREFIXES)
    assert model.scores[0].tolist() == pytest.approx([-np.inf, 0.0, 1.0])
    assert neighbours.scores[0].tolist() == pytest.approx([-np.inf, 0.5, 0.0])
