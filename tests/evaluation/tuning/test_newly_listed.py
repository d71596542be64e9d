"""How much items count that are listed after training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.evaluation.tuning.mixtures import Point, Trials, search
from m2trec_merlin.evaluation.tuning.newly_listed import (
    DRAWS,
    TRIED,
    ListedAnew,
    bounded_listed,
    choose_listed,
    listing_points,
)
from m2trec_merlin.evaluation.tuning.samples import Parts
from m2trec_merlin.evaluation.tuning.shortlists import Scorers, Shortlists
from m2trec_merlin.neighbours.item_lists import ItemLists
from m2trec_merlin.neighbours.pasts import ItemPasts
from m2trec_merlin.neighbours.weights import Weights
from m2trec_merlin.neighbours.word_likeness import WordLikeness
from m2trec_merlin.sessions import Prefixes, Sessions
from tests.told import Told
from tests.worlds.checkerboard import make_catalogue


class FirstRowsFirst:
    """Scores fall by a hundredth a row; all that stands behind row 100 comes last."""

    name, candidates = "first rows first", "all"

    def __init__(self, catalogue: Catalogue) -> None:
        self._scores = -np.minimum(np.arange(catalogue.n_rows), 101).astype(np.float32) / 100
        self._scores[0] = -np.inf

    def score(self, prefixes: Prefixes) -> np.ndarray:
        return np.tile(self._scores, (len(prefixes), 1))


def by_the_model_alone(anew: ListedAnew) -> Scorers:
    pasts = ItemPasts.of(anew.catalogue)
    return Scorers(FirstRowsFirst(anew.catalogue), {}, pasts, 10, candidates=anew.candidates)


def test_what_is_listed_anew_has_no_past_and_the_same_attributes() -> None:
    catalogue = make_catalogue([9, 7, 5, 0], colours=[2, 3, 4, 2])
    anew = ListedAnew(catalogue, np.array([1, 3]))
    assert anew.catalogue.train_counts.tolist() == [0, 9, 7, 5, 0, 0, 0]
    assert anew.catalogue.attributes["colour"].values.tolist() == [1, 2, 3, 4, 2, 2, 4]
    assert anew.candidates.tolist() == [True, False, True, False, True, True, True]
    assert anew.catalogue.newly_listed.tolist() == [False] * 5 + [True] * 2
    prefixes = anew.prefixes(Sessions.from_lists([[1, 2, 3], [0, 4, 1]]).prefixes())
    assert [prefixes.items(index).tolist() for index in range(4)] == [[5], [5, 2], [0], [0, 4]]
    assert prefixes.targets.tolist() == [2, 6, 4, 5]


def test_training_items_alone_are_listed_anew() -> None:
    catalogue = make_catalogue([1] * 60 + [0] * 40)
    draws = [ListedAnew.draw(catalogue, np.random.default_rng(seed)).rows for seed in range(50)]
    assert {len(rows) for rows in draws} == {3}
    assert len({*np.concatenate(draws)}) > 50 and np.concatenate(draws).max() <= 60
    assert np.concatenate(draws).min() >= 1


def test_views_know_the_titles_of_what_is_listed_anew_and_no_session_with_it(tmp_path: Path) -> None:
    titles = ["red tea", "green tea", "red rose", "green rose"]
    catalogue = make_catalogue([3, 3, 3, 3], titles=titles, directory=tmp_path)
    train = Sessions.from_lists([[1, 2], [1, 2], [3, 4]])
    words, beside = WordLikeness.fit(catalogue, train), ItemLists.fit(catalogue, train)
    assert words is not None
    near = ListedAnew(catalogue, np.array([1])).views({"content": words, "beside": beside})
    after = Sessions.from_lists([[2, 0], [3, 0]]).prefixes()
    content, lists = near["content"].score(after), near["beside"].score(after)
    np.testing.assert_allclose(content[:, 5], words.score(after)[:, 1])
    assert (content[:, 5] > 0).all()
    assert lists[0, 1] > 0 and lists[0, 5] <= 0


def test_weights_are_worth_what_the_places_cost_that_they_give() -> None:
    """Every item is the next one as often. Five of 100 are listed anew: above 1 they are first."""
    catalogue = make_catalogue([3] * 100)
    valid = Sessions.from_lists([[1, row] for row in range(1, 101)] * 20).prefixes()
    told = Told()
    points = listing_points(valid, catalogue, by_the_model_alone, Weights(rare=1), 2000, 1, told)
    assert [point.weights["listed"] for point in points] == list(TRIED)
    assert all(point.weights["rare"] == 1 for point in points)
    first = np.array([point.weights["listed"] > 1 for point in points])
    assert [point.new for point in points] == first.astype(float).tolist()
    # Twenty of 95 are hit, or fifteen of them and all five of the others; the sample adds chance to it.
    without, within = np.array([point.hit for point in points])[~first], points[-1].hit
    assert np.ptp(without) == 0 and without[0] == pytest.approx(0.2, abs=0.03)
    assert within == pytest.approx(0.2, abs=0.03)
    assert told.tasks["listing items anew"][-1][:2] == (DRAWS, DRAWS)


def test_a_handful_of_prefixes_says_nothing() -> None:
    valid = Sessions.from_lists([[1, row] for row in range(1, 101)]).prefixes()
    assert not listing_points(valid, make_catalogue([3] * 100), by_the_model_alone, Weights(), 100, 1)


def listed(weight: float, hit: float, mrr: float) -> Point:
    return Point(Weights(listed=weight), hit, mrr, None, None)


def test_the_highest_weight_is_chosen_that_keeps_what_it_must() -> None:
    """Half of the loss may be given for newly listed items: at 0.02 a hundredth of the best."""
    points = [listed(-1, 0.199, 0.1), listed(0, 0.2, 0.1), listed(1, 0.1985, 0.0995), listed(2, 0.197, 0.1)]
    assert choose_listed(points, 0.02).weights["listed"] == 1
    assert choose_listed(points, 0.04).weights["listed"] == 2
    assert choose_listed(points, 0.0).weights["listed"] == 0
    either = [listed(0, 0.2, 0.09), listed(1, 0.18, 0.1)]
    assert choose_listed(either, 0.02).weights["listed"] == 0


def test_the_weight_costs_no_more_where_the_sample_holds_listed_items() -> None:
    """25 items stand 1.5 behind each next item; raised as far, they fill its twenty places."""
    model = np.full((100, 26), -1.5, np.float32)
    model[:, 0] = 0
    listed, zeros = model < 0, np.zeros_like(model)
    lists = Shortlists(model, {}, zeros, zeros, listed, np.zeros(100), np.zeros(100, np.int64))
    parts = Parts(np.ones(100, bool), np.zeros(100, bool), np.zeros(100, bool))
    chosen = Weights(listed=3.0, trend=0.4)
    trials = Trials(lists, parts)
    points = search(trials, 0.02)
    assert bounded_listed(trials, chosen, 0.02)["listed"] == 1
    assert bounded_listed(trials, Weights(listed=0.5), 0.02)["listed"] == 0.5
    without = Trials(replace(lists, listed=~listed & listed), parts)
    assert bounded_listed(without, chosen, 0.02) == chosen
    assert points[0].weights == Weights()
    assert all(point.weights["listed"] == 0 for point in points)
