"""What mixtures are worth, and which one is best."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from m2trec_merlin.config import EvaluationConfig
from m2trec_merlin.evaluation.baselines import Popularity
from m2trec_merlin.evaluation.metrics import hit_and_mrr
from m2trec_merlin.evaluation.mixtures import (
    GRID,
    STEPS,
    Point,
    Sample,
    around,
    choose,
    frontier,
    measure,
    search,
)
from m2trec_merlin.evaluation.ranking import evaluate
from m2trec_merlin.evaluation.shortlists import shortlist
from m2trec_merlin.neighbours.content_knn import WordLikeness, fit_words
from m2trec_merlin.neighbours.metadata_knn import MetadataKnn
from m2trec_merlin.neighbours.mixture import Lifts, Mixture, View, Weights
from m2trec_merlin.neighbours.session_knn import SessionKnn
from m2trec_merlin.neighbours.views import SessionView
from m2trec_merlin.sessions import Prefixes
from tests.told import Told
from tests.worlds.checkerboard import World, checkerboard

#: Events that neighbours are shown: fewer than some prefixes hold.
MOST = 3


def point(hit: float, mrr: float, rare: float | None = None, new: float | None = None) -> Point:
    return Point(Weights(), hit, mrr, rare, new)


def all_views(world: World) -> dict[View, SessionView]:
    return {
        "by_id": SessionKnn(world.catalogue, world.train),
        "by_metadata": MetadataKnn(world.catalogue, world.train),
        "content": WordLikeness(fit_words(world.catalogue)[0]),
    }


def sample_of(prefixes: Prefixes) -> Sample:
    """A third of the prefixes from anywhere, a third rare, a third new, whatever their targets are."""
    part = np.arange(len(prefixes)) % 3
    return Sample(prefixes, part == 0, part == 1, part == 2)


@pytest.mark.parametrize("names", [("by_id", "by_metadata", "content"), ("by_id",)])
def test_points_are_what_the_mixture_of_their_weights_measures(
    tmp_path: Path, names: tuple[View, ...]
) -> None:
    world, told = checkerboard(tmp_path), Told()
    few = world.test.prefixes()
    prefixes = few.take(np.tile(np.arange(len(few)), 200 // len(few) + 1))
    model, counts = Popularity(world.catalogue, world.train), world.catalogue.train_counts
    views = {name: view for name, view in all_views(world).items() if name in names}
    sample = sample_of(prefixes)
    points = list(measure(shortlist(prefixes, model, views, counts, MOST), sample, GRID, told))
    tried = len(GRID["by_id"]) * len(GRID["rare"])
    if "content" in names:
        tried *= len(GRID["by_metadata"]) * len(GRID["content"]) * len(GRID["rare_content"])
    assert len(points) == len({p.weights for p in points}) == tried
    assert told.tasks["trying mixtures"][-1][:2] == (tried, tried)
    for each in points[:: max(len(points) // 7, 1)]:
        assert not set(each.weights.views()) - set(names)
        tested = Mixture("tested", model, Lifts(views, counts, each.weights), MOST)
        outcome = evaluate(tested, prefixes, world.catalogue, EvaluationConfig(ks=[20]))
        assert outcome.items is not None
        hits = outcome.items.target <= 20
        assert (each.rare, each.new) == pytest.approx((hits[sample.rare].mean(), hits[sample.new].mean()))
        over_all = evaluate(
            tested,
            prefixes.take(np.flatnonzero(sample.anywhere)),
            world.catalogue,
            EvaluationConfig(ks=[20]),
        )
        assert (each.hit, each.mrr) == pytest.approx(hit_and_mrr(over_all, 20))
    assert len({(p.hit, p.mrr, p.rare) for p in points}) > 1


def test_parts_of_a_handful_of_prefixes_say_nothing(tmp_path: Path) -> None:
    world = checkerboard(tmp_path)
    prefixes = world.test.prefixes()
    model = Popularity(world.catalogue, world.train)
    lists = shortlist(prefixes, model, {}, world.catalogue.train_counts, MOST)
    measured = next(measure(lists, sample_of(prefixes), GRID))
    assert (measured.rare, measured.new, measured.tail) == (None, None, 0.0)


def test_finer_weights_are_tried_around_the_best(tmp_path: Path) -> None:
    world = checkerboard(tmp_path)
    prefixes, model = world.test.prefixes(), Popularity(world.catalogue, world.train)
    views: dict[View, SessionView] = {"by_id": SessionKnn(world.catalogue, world.train)}
    lists = shortlist(prefixes, model, views, world.catalogue.train_counts, MOST)
    points = search(lists, sample_of(prefixes), 0.01)
    coarse = len(GRID["by_id"]) * len(GRID["rare"])
    first = choose(points[:coarse], 0.01).weights
    grid = around(first, 1.0)
    expected = {(by_id, rare) for by_id in grid["by_id"] for rare in grid["rare"]}
    finer = points[coarse : coarse + len(expected)]
    assert {(p.weights.by_id, p.weights.rare) for p in finer} == expected
    assert (first.by_id, first.rare) in expected and len(expected) > 3
    assert choose(points, 0.01).hit >= 0.99 * choose(finer, 0.01).hit


def test_weights_of_views_do_not_fall_below_zero() -> None:
    grid = around(Weights(by_id=0.25, rare=0.0), 1.0)
    assert grid["by_id"] == (0.0, 0.25, 0.25 + STEPS["by_id"])
    assert grid["rare"] == (-STEPS["rare"], 0.0, STEPS["rare"])
    assert around(Weights(), 0.5)["content"] == (0.0, STEPS["content"] / 2)


def test_both_kinds_of_rare_targets_count_alike() -> None:
    assert point(0.2, 0.1, 0.04, 0.02).tail == pytest.approx(0.03)
    assert point(0.2, 0.1, 0.04).tail == pytest.approx(0.04)


def test_the_best_on_the_tail_is_chosen_among_those_that_lose_next_to_nothing() -> None:
    best_hit, best_mrr = point(0.2, 0.0999, 0.01), point(0.199, 0.1, 0.02)
    good = point(0.1985, 0.0995, 0.05)
    costs_hits, costs_mrr = point(0.197, 0.1, 0.5), point(0.2, 0.098, 0.5)
    points = [best_hit, best_mrr, good, costs_hits, costs_mrr]
    assert choose(points, 0.01) == good
    assert choose(points, 0.03) in (costs_hits, costs_mrr)
    assert choose(points, 0.0) == best_hit  # none has both: it keeps 99.9 % of the worse measure


def test_among_equals_on_the_tail_the_best_over_all_is_chosen() -> None:
    assert choose([point(0.199, 0.1), point(0.2, 0.1), point(0.2, 0.0999)], 0.01).hit == 0.2


def test_the_frontier_leaves_out_what_others_beat_on_both() -> None:
    best, middle, last = point(0.3, 0, 0.1), point(0.2, 0, 0.2), point(0.1, 0, 0.3)
    others = [point(0.2, 0, 0.1), point(0.1, 0, 0.2), point(0.3, 0, 0.05)]
    assert frontier([last, *others, middle, best]) == [best, middle, last]
