"""Weights of the mixture, found on validation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from m2trec_merlin.config import EvaluationConfig
from m2trec_merlin.evaluation.baselines import Popularity
from m2trec_merlin.evaluation.metrics import hit_and_mrr
from m2trec_merlin.evaluation.ranking import evaluate
from m2trec_merlin.evaluation.tuning import (
    CONTENT,
    NEIGHBOURS,
    RARE,
    Point,
    choose,
    frontier,
    measure_weights,
)
from m2trec_merlin.neighbours.content_knn import WordLikeness, word_vectors
from m2trec_merlin.neighbours.mixture import Mixture, Weights
from m2trec_merlin.neighbours.session_knn import SessionKnn
from tests.told import Told
from tests.worlds.checkerboard import World, checkerboard


def point(hit: float, tail: float, mrr: float = 0.0) -> Point:
    return Point("id", Weights(), hit, tail, mrr)


def mixture(world: World, weights: Weights, words: bool = True) -> Mixture:
    model, near = Popularity(world.catalogue, world.train), SessionKnn(world.catalogue, world.train)
    content = WordLikeness(word_vectors(world.catalogue)) if words else None
    return Mixture("all", model, near, content, world.catalogue.train_counts, weights)


@pytest.mark.parametrize("words", [True, False])
def test_points_are_what_the_mixture_of_their_weights_measures(tmp_path: Path, words: bool) -> None:
    world, told = checkerboard(tmp_path), Told()
    prefixes = world.test.prefixes()
    points = measure_weights(mixture(world, Weights(), words), "id", prefixes, tail_below=10, progress=told)
    assert len({p.weights for p in points}) == len(points)
    assert len(points) == len(NEIGHBOURS) * len(RARE) * (len(CONTENT) if words else 1)
    assert [done for done, _, _ in told.tasks["neighbours by id"]][-1] == len(prefixes)
    for tried in points[:: len(points) // 8]:
        tested = mixture(world, tried.weights, words)
        outcome = evaluate(tested, prefixes, world.catalogue, EvaluationConfig(ks=[20]))
        assert hit_and_mrr(outcome, 20) == pytest.approx((tried.hit, tried.mrr))


def test_the_tail_is_measured_apart(tmp_path: Path) -> None:
    world = checkerboard(tmp_path)
    prefixes = world.test.prefixes()
    counts = world.catalogue.train_counts[prefixes.targets]
    above_all, nothing = (
        measure_weights(mixture(world, Weights()), "id", prefixes, bound)
        for bound in (int(counts.max()) + 1, 0)
    )
    assert all(p.tail == p.hit for p in above_all)
    assert all(p.tail == 0 for p in nothing)
    assert np.ptp([p.mrr for p in above_all]) > 0


def test_the_best_on_the_tail_is_chosen_among_those_that_lose_next_to_nothing() -> None:
    points = [point(0.200, 0.01), point(0.1985, 0.03), point(0.1985, 0.03, mrr=0.1), point(0.19, 0.5)]
    assert choose(points) == points[2]


def test_the_frontier_leaves_out_what_others_beat_on_both() -> None:
    best, middle, last = point(0.3, 0.1), point(0.2, 0.2), point(0.1, 0.3)
    assert frontier([last, point(0.2, 0.1), middle, point(0.1, 0.2), best, point(0.3, 0.05)]) == [
        best,
        middle,
        last,
    ]
