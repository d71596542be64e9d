"""A model mixed with its neighbours."""

from __future__ import annotations

import numpy as np
import pytest

from m2trec_merlin.baselines import Popularity
from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.neighbours.item_lists import ItemLists
from m2trec_merlin.neighbours.metadata_knn import MetadataKnn
from m2trec_merlin.neighbours.mixture import (
    Lifts,
    Mixture,
    session_novelty,
)
from m2trec_merlin.neighbours.pasts import ItemPasts, trends_of
from m2trec_merlin.neighbours.session_knn import SessionKnn
from m2trec_merlin.neighbours.views import SessionView, ViewScores
from m2trec_merlin.neighbours.weights import WEIGHTS, Weights
from m2trec_merlin.neighbours.word_likeness import WordLikeness, fit_words
from m2trec_merlin.sessions import Prefixes, Sessions
from tests.evaluation.contracts import ItemScorerContract
from tests.worlds.checkerboard import make_catalogue

PREFIXES = Sessions.from_lists([[1, 2, 1]]).prefixes()
PASTS = ItemPasts.known(np.array([0, 5, 0]))


class Fixed:
    """Recommends by given scores, whatever the prefix."""

    name = "fixed"
    candidates = "three items"

    def __init__(self, scores: list[float]) -> None:
        self.scores = np.array([scores], np.float32)

    def score(self, prefixes: Prefixes) -> np.ndarray:
        return np.repeat(self.scores, len(prefixes), axis=0)


class FixedView(SessionView):
    """Says the same after every session: half of it as background, half of it anew."""

    name = "fixed"
    candidates = "three items"
    group_of = None
    repeats = True

    def __init__(self, scores: list[float]) -> None:
        self.scores = np.array(scores, np.float32)
        self.background = np.where(np.arange(len(scores)) % 2, self.scores, -np.inf).astype(np.float32)

    def score_near(self, session: np.ndarray) -> ViewScores:
        rows = np.arange(0, len(self.scores), 2)
        return ViewScores(rows, self.scores[rows])


class TestMixture(ItemScorerContract):
    def build(self, catalogue: Catalogue, train: Sessions) -> Mixture:
        views: dict[str, SessionView] = {
            "by_id": SessionKnn.fit(catalogue, train),
            "by_metadata": MetadataKnn.fit(catalogue, train),
            "beside": ItemLists.fit(catalogue, train),
            "content": WordLikeness(fit_words(catalogue)[0], repeats=False),
        }
        lifts = Lifts(views, ItemPasts.of(catalogue), Weights(**dict.fromkeys(WEIGHTS, 1.0)))
        return Mixture("all", Popularity(catalogue, train), lifts, 10)


def mixture(model: Fixed, views: dict[str, SessionView], **weights: float) -> Mixture:
    """Three rows: no item, one of five occurrences, one without any."""
    return Mixture("all", model, Lifts(views, PASTS, Weights(**weights)), 10)


def test_what_all_views_lift_is_added() -> None:
    """A view of 0.05 x lifts by log(1 + x); the first item is half rare."""
    model, words = Fixed([-np.inf, 0.0, 2.0]), FixedView([-np.inf, 0.15, 0.95])
    views: dict[str, SessionView] = {
        "by_id": FixedView([-np.inf, 0.55, 0.0]),
        "by_metadata": FixedView([-np.inf, -np.inf, 0.1]),
        "beside": FixedView([-np.inf, 0.95, 0.0]),
        "content": words,
    }
    weights = {"by_id": 2.0, "by_metadata": 4.0, "content": 3.0, "rare_content": 1.0, "rare": 0.8, "new": 0.4}
    weights |= {"beside": 0.5, "rare_beside": 0.6}
    scores = mixture(model, views, **weights).score(PREFIXES)
    first = 2 * np.log(12) + (0.5 + 0.3) * np.log(20) + (3 + 0.5) * np.log(4) + 0.4 + 0.4 / 8
    second = 2.0 + 4 * np.log(3) + (3 + 1) * np.log(20) + 0.8 + 0.4
    np.testing.assert_allclose(scores[0], [-np.inf, first, second], rtol=1e-5)


def test_new_items_are_lifted_by_the_rarity_of_the_sessions_items() -> None:
    """Its one item is half rare: log(0.55 / 0.25) counts once for an item without history, an eighth else."""
    model = Fixed([-np.inf, 0.0, 0.0])
    scores = mixture(model, {}, new_session=2).score(PREFIXES)
    lift = 2 * np.log(0.55 / 0.25)
    np.testing.assert_allclose(scores[0, 1:], lift * np.array([1 / 8, 1]), rtol=1e-5)


def test_novelty_is_of_the_items_of_a_session_each_once() -> None:
    sessions = [[1], [1, 2], [1, 2, 1], [1, 2, 1, 0], [0], [2], []]
    novelty = [session_novelty(np.array(rows, np.int64), PASTS.rarity) for rows in sessions]
    half, both, most = np.log(0.55 / 0.25), np.log(0.8 / 0.25), np.log(1.05 / 0.25)
    np.testing.assert_allclose(novelty, [half, both, both, both, 0, most, 0], rtol=1e-5)


def test_trends_are_of_recent_events_beyond_an_items_share() -> None:
    """A tenth of all 100 events is recent: 3 of the first item's 80, 7 of the second's 20, no third."""
    occurrences, recent = np.array([0, 80, 20, 0]), np.array([0, 3, 7, 0])
    expected = [0, np.log((3 + 5) / (8 + 5)), np.log((7 + 5) / (2 + 5)), 0]
    np.testing.assert_allclose(trends_of(occurrences, recent), expected, rtol=1e-6)


def test_without_time_there_are_no_trends() -> None:
    occurrences = np.array([0, 3, 2])
    assert trends_of(occurrences, None) is None
    assert trends_of(occurrences, np.zeros(3, np.int64)).tolist() == [0, 0, 0]


def test_what_an_items_past_adds_in_any_session_is_told() -> None:
    weights = Weights(rare=0.8, new=0.4, new_session=5, listed=0.3, trend=2)
    trends = np.array([0, -0.5, 0], np.float32)
    lifts = Lifts({}, ItemPasts.known(PASTS.occurrences, trends), weights)
    np.testing.assert_allclose(lifts.of_rarity, [0.3, 0.45, 1.2], rtol=1e-6)
    assert lifts.of_trend.tolist() == [0, -1, 0]
    scores = Mixture(
        "all",
        Fixed([-np.inf, 0.0, 0.0]),
        Lifts({}, ItemPasts.known(PASTS.occurrences, trends), Weights(trend=2)),
        10,
    )
    np.testing.assert_allclose(scores.score(PREFIXES)[0, 1:], [-1, 0], rtol=1e-6)


def test_what_was_listed_after_training_is_lifted_by_a_weight_of_its_own() -> None:
    """Of the two items without a history the second came later; words count for both, the session for one."""
    pasts = ItemPasts.known(np.array([0, 5, 0, 0]), listed=np.array([False, False, False, True]))
    weights = Weights(rare=-3, new=1, new_session=2, listed=1.5, rare_content=2)
    lifts = Lifts({"content": FixedView([-np.inf, 0.0, 0.15, 0.15])}, pasts, weights)
    novelty, words = np.log(0.55 / 0.25), 2 * np.log(4)
    np.testing.assert_allclose(
        lifts.after(np.array([1])),
        [1.5, -1.5 + (1 + 2 * novelty) / 8, -3 + 1 + 2 * novelty + words, 1.5 + words],
        rtol=1e-5,
    )


def test_a_view_that_fails_changes_nothing_for_the_next_session() -> None:
    class Failing(FixedView):
        def score_near(self, session: np.ndarray) -> ViewScores:
            if not len(session):
                raise ValueError("no session")
            return super().score_near(session)

    views = {"by_id": FixedView([-np.inf, 0.5, 1.0]), "by_metadata": Failing([-np.inf, 0.5, 1.0])}
    lifts = Lifts(views, PASTS, Weights(by_id=1, by_metadata=1))
    expected = lifts.after(np.array([1]))
    with pytest.raises(ValueError, match="no session"):
        lifts.after(np.zeros(0, np.int64))
    assert lifts.after(np.array([1])).tolist() == expected.tolist()


def test_without_words_the_other_views_are_mixed() -> None:
    model, near = Fixed([-np.inf, 0.0, 2.0]), FixedView([-np.inf, 0.55, 0.0])
    scores = mixture(model, {"by_id": near}, by_id=1, content=3).score(PREFIXES)
    expected = [-np.inf, np.log(12), 2.0]
    np.testing.assert_allclose(scores[0], expected, rtol=1e-5)


def test_views_that_count_are_named() -> None:
    assert Weights(by_id=1, rare=2).views() == ("by_id",)
    assert Weights(by_metadata=0.5, rare_content=1).views() == ("by_metadata", "content")
    assert Weights(rare_beside=0.5, trend=1).views() == ("beside",)


def test_neighbours_alone_recommend_nothing_and_rule_nothing_out() -> None:
    model, neighbours = Fixed([-np.inf, 0.0, -np.inf]), FixedView([-np.inf, -np.inf, 1.0])
    scores = mixture(model, {"by_id": neighbours}, by_id=2).score(PREFIXES)
    assert np.isfinite(scores[0]).tolist() == [False, True, False]


def test_neighbours_are_shown_the_last_events_only() -> None:
    """Of the session 1, 2 all but the last event is cut: item 1 has no neighbours any more."""
    train = Sessions.from_lists([[1, 3], [2, 4], [5, 6]])
    catalogue = make_catalogue([1] * 6)
    lifts = Lifts({"by_id": SessionKnn.fit(catalogue, train)}, ItemPasts.of(catalogue), Weights(by_id=1))
    short, long = (
        Mixture("cut", Fixed([0.0] * 7), lifts, most).score(PREFIXES.take(np.array([1])))[0]
        for most in (1, 2)
    )
    assert short[3] < long[3] and short[4] >= long[4]


def test_usual_scores_are_left_as_they_were() -> None:
    view = FixedView([-np.inf, 0.5, 0.0])
    before = view.background.copy()
    mixture(Fixed([-np.inf, 0.0, 1.0]), {"by_id": view, "content": view}, by_id=1, content=1).score(PREFIXES)
    np.testing.assert_array_equal(view.background, before)
