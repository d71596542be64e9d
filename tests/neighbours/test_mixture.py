"""A model mixed with its neighbours."""

from __future__ import annotations

import numpy as np
import pytest

from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.evaluation.baselines import Popularity
from m2trec_merlin.neighbours.content_knn import WordLikeness, word_vectors
from m2trec_merlin.neighbours.mixture import Mixture, Weights
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
        model, near = Popularity(catalogue, train), SessionKnn(catalogue, train)
        words = WordLikeness(word_vectors(catalogue))
        return Mixture("all", model, near, words, catalogue.train_counts, Weights(2, 1, 1))


def mixture(model: Fixed, near: Fixed, alike: Fixed | None = None, **weights: float) -> Mixture:
    """Three rows: no item, one of five occurrences, one without any."""
    return Mixture("all", model, near, alike, np.array([0, 5, 0]), Weights(**weights))


def test_logarithms_of_all_views_are_added() -> None:
    """Odds 1 : 3 of the model; the floor of the views is 0.05."""
    model, near = Fixed([-np.inf, 0.0, np.log(3)]), Fixed([-np.inf, 0.55, 0.0])
    alike = Fixed([-np.inf, 0.15, 0.95])
    scores = mixture(model, near, alike, neighbours=2, content=3, rare=0.8).score(PREFIXES)
    first = np.log(0.25) + 2 * np.log(0.6) + 3 * np.log(0.2) + 0.4
    second = np.log(0.75) + 2 * np.log(0.05) + 3 * np.log(1.0) + 0.8
    np.testing.assert_allclose(scores[0], [-np.inf, first, second], rtol=1e-5)


def test_without_words_the_other_views_are_mixed() -> None:
    model, near = Fixed([-np.inf, 0.0, np.log(3)]), Fixed([-np.inf, 0.55, 0.0])
    scores = mixture(model, near, neighbours=1, content=3).score(PREFIXES)
    expected = [-np.inf, np.log(0.25) + np.log(0.6), np.log(0.75) + np.log(0.05)]
    np.testing.assert_allclose(scores[0], expected, rtol=1e-5)


def test_neighbours_alone_recommend_nothing_and_rule_nothing_out() -> None:
    model, neighbours = Fixed([-np.inf, 0.0, -np.inf]), Fixed([-np.inf, -np.inf, 1.0])
    scores = mixture(model, neighbours).score(PREFIXES)
    assert np.isfinite(scores[0]).tolist() == [False, True, False]


def test_scores_of_both_are_left_as_they_were() -> None:
    model, neighbours = Fixed([-np.inf, 0.0, 1.0]), Fixed([-np.inf, 0.5, 0.0])
    mixture(model, neighbours, neighbours, content=1, rare=1).score(PREFIXES)
    assert model.scores[0].tolist() == pytest.approx([-np.inf, 0.0, 1.0])
    assert neighbours.scores[0].tolist() == pytest.approx([-np.inf, 0.5, 0.0])
