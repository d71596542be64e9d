"""A model mixed with its neighbours."""

from __future__ import annotations

import numpy as np
import pytest

from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.evaluation.baselines import Popularity
from m2trec_merlin.neighbours.content_knn import WordLikeness, word_vectors
from m2trec_merlin.neighbours.metadata_knn import MetadataKnn
from m2trec_merlin.neighbours.mixture import Mixture, View, Weights
from m2trec_merlin.neighbours.session_knn import SessionKnn
from m2trec_merlin.scores import ItemScorer
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


class TestMixture(ItemScorerContract):
    def build(self, catalogue: Catalogue, train: Sessions) -> Mixture:
        views: dict[View, ItemScorer] = {
            "by_id": SessionKnn(catalogue, train),
            "by_metadata": MetadataKnn(catalogue, train),
            "content": WordLikeness(word_vectors(catalogue), repeats=False),
        }
        model = Popularity(catalogue, train)
        return Mixture("all", model, views, catalogue.train_counts, Weights(2, 1, 1, 1, 1))


def mixture(model: Fixed, views: dict[View, ItemScorer], **weights: float) -> Mixture:
    """Three rows: no item, one of five occurrences, one without any."""
    return Mixture("all", model, views, np.array([0, 5, 0]), Weights(**weights))


def test_what_all_views_lift_is_added() -> None:
    """Odds 1 : 3 of the model; a view of 0.05 x lifts by log(1 + x); the first item is half rare."""
    model, words = Fixed([-np.inf, 0.0, np.log(3)]), Fixed([-np.inf, 0.15, 0.95])
    views: dict[View, ItemScorer] = {
        "by_id": Fixed([-np.inf, 0.55, 0.0]),
        "by_metadata": Fixed([-np.inf, -np.inf, 0.1]),
        "content": words,
    }
    weights = {"by_id": 2.0, "by_metadata": 4.0, "content": 3.0, "rare_content": 1.0, "rare": 0.8}
    scores = mixture(model, views, **weights).score(PREFIXES)
    first = np.log(0.25) + 2 * np.log(12) + (3 + 0.5) * np.log(4) + 0.4
    second = np.log(0.75) + 4 * np.log(3) + (3 + 1) * np.log(20) + 0.8
    np.testing.assert_allclose(scores[0], [-np.inf, first, second], rtol=1e-5)


def test_without_words_the_other_views_are_mixed() -> None:
    model, near = Fixed([-np.inf, 0.0, np.log(3)]), Fixed([-np.inf, 0.55, 0.0])
    scores = mixture(model, {"by_id": near}, by_id=1, content=3).score(PREFIXES)
    expected = [-np.inf, np.log(0.25) + np.log(12), np.log(0.75)]
    np.testing.assert_allclose(scores[0], expected, rtol=1e-5)


def test_views_that_count_are_named() -> None:
    assert Weights(by_id=1, rare=2).views() == ("by_id",)
    assert Weights(by_metadata=0.5, rare_content=1).views() == ("by_metadata", "content")


def test_neighbours_alone_recommend_nothing_and_rule_nothing_out() -> None:
    model, neighbours = Fixed([-np.inf, 0.0, -np.inf]), Fixed([-np.inf, -np.inf, 1.0])
    scores = mixture(model, {"by_id": neighbours}, by_id=2).score(PREFIXES)
    assert np.isfinite(scores[0]).tolist() == [False, True, False]


def test_scores_of_both_are_left_as_they_were() -> None:
    model, neighbours = Fixed([-np.inf, 0.0, 1.0]), Fixed([-np.inf, 0.5, 0.0])
    mixture(model, {"by_id": neighbours, "content": neighbours}, by_id=1, content=1, rare=1).score(PREFIXES)
    assert model.scores[0].tolist() == pytest.approx([-np.inf, 0.0, 1.0])
    assert neighbours.scores[0].tolist() == pytest.approx([-np.inf, 0.5, 0.0])
