"""What mixtures are worth, and which one is best."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from m2trec_merlin.baselines import Popularity
from m2trec_merlin.config import EvaluationConfig
from m2trec_merlin.evaluation.metrics import hit_and_mrr
from m2trec_merlin.evaluation.ranking import evaluate
from m2trec_merlin.evaluation.tuning.mixtures import (
    STARTS,
    Point,
    Trials,
    choose,
    frontier,
    search,
    steps_around,
    without_idle_views,
)
from m2trec_merlin.evaluation.tuning.samples import Parts
from m2trec_merlin.evaluation.tuning.shortlists import Scorers, Shortlists, shortlist
from m2trec_merlin.neighbours.item_lists import ItemLists
from m2trec_merlin.neighbours.metadata_knn import MetadataKnn
from m2trec_merlin.neighbours.mixture import Lifts, Mixture
from m2trec_merlin.neighbours.pasts import ItemPasts
from m2trec_merlin.neighbours.session_knn import SessionKnn
from m2trec_merlin.neighbours.views import SessionView
from m2trec_merlin.neighbours.weights import WEIGHTS, Weights
from m2trec_merlin.neighbours.word_likeness import WordLikeness, fit_words
from m2trec_merlin.sessions import Prefixes
from tests.told import Told
from tests.worlds.checkerboard import World, checkerboard

#: Events that neighbours are shown: fewer than some prefixes hold.
MOST = 3


def lists_of(model: np.ndarray, lifts: dict[str, np.ndarray], rare: np.ndarray) -> Shortlists:
    """Shortlists whose next items stand first; of items nothing is known but their rarity."""
    n = len(model)
    listed = np.zeros(model.shape, bool)
    return Shortlists(model, lifts, rare, np.zeros_like(model), listed, np.zeros(n), np.zeros(n, np.int64))


def point(hit: float, mrr: float, tail: float = 0.0) -> Point:
    return Point(Weights(), hit, mrr, None, None, tail)


def all_views(world: World) -> dict[str, SessionView]:
    return {
        "by_id": SessionKnn.fit(world.catalogue, world.train),
        "by_metadata": MetadataKnn.fit(world.catalogue, world.train),
        "beside": ItemLists.fit(world.catalogue, world.train),
        "content": WordLikeness(fit_words(world.catalogue)[0]),
    }


def parts_of(prefixes: Prefixes) -> Parts:
    """A third of the prefixes from anywhere, a third rare, a third new, whatever their targets are."""
    part = np.arange(len(prefixes)) % 3
    return Parts(part == 0, part == 1, part == 2)


@pytest.mark.parametrize("names", [("by_id", "by_metadata", "beside", "content"), ("by_id",)])
def test_points_are_what_the_mixture_of_their_weights_measures(
    tmp_path: Path, names: tuple[str, ...]
) -> None:
    world, told = checkerboard(tmp_path), Told()
    few = world.test.prefixes()
    prefixes = few.take(np.tile(np.arange(len(few)), 200 // len(few) + 1))
    model, counts = Popularity(world.catalogue, world.train), world.catalogue.train_counts
    views = {name: view for name, view in all_views(world).items() if name in names}
    sample = parts_of(prefixes)
    trends, listed = np.linspace(-1, 1, len(counts), dtype=np.float32), np.arange(len(counts)) % 5 == 2
    pasts = ItemPasts.known(counts, trends, listed)
    lists = shortlist(prefixes, Scorers(model, views, pasts, MOST))
    points = search(Trials(lists, sample), 0.01, told)
    assert len(points) == len({p.weights for p in points}) > 50
    assert told.tasks["trying mixtures"][-1][:2] == (6, 6)
    for each in points[:: max(len(points) // 20, 1)]:
        assert not set(each.weights.views()) - set(names)
        tested = Mixture("tested", model, Lifts(views, pasts, each.weights), MOST)
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
    lists = shortlist(prefixes, Scorers(model, {}, ItemPasts.of(world.catalogue), MOST))
    measured = Trials(lists, parts_of(prefixes)).at(Weights())
    assert (measured.rare, measured.new, measured.tail) == (None, None, 0.0)


def two_items(n_rare: int, hits_rare: int, n_new: int, hits_new: int) -> tuple[Shortlists, Parts]:
    """Prefixes of 21 candidates each: the model ranks the next item last, words rank it first in some."""
    n = n_rare + n_new
    rare = np.arange(n) < n_rare
    model = np.zeros((n, 21), np.float32)
    model[:, 0] = -1
    words = np.zeros_like(model)
    words[:hits_rare, 0] = words[n_rare : n_rare + hits_new, 0] = 1
    occurrences = np.zeros_like(model)
    occurrences[:, 0] = np.where(rare, 0.5, 1.0)
    lists = lists_of(model, {"content": words}, occurrences)
    return lists, Parts(np.ones(n, bool), rare, ~rare)


def test_the_tail_is_the_harmonic_mean_of_what_it_is_to_the_best_view_alone() -> None:
    trials = Trials(*two_items(100, 10, 200, 40))
    assert trials.single == pytest.approx({"rare": 0.1, "new": 0.2})
    nothing = trials.at(Weights())  # Half a hit of 10, and of 40.
    assert (nothing.rare, nothing.new) == (0, 0)
    assert nothing.tail == pytest.approx(2 / (20 + 80))
    assert trials.at(Weights(content=2)).tail == pytest.approx(1)
    lifted = trials.at(Weights(rare=1.5))  # New ones rise by 1.5, rare ones by 0.75 only.
    assert (lifted.rare, lifted.new) == (0, 1)
    both = trials.at(Weights(content=2, rare=1.5))
    assert (both.rare, both.new) == (pytest.approx(0.1), 1)
    assert both.tail == pytest.approx(2 / (1 / 1 + 1 / 5))


@pytest.mark.parametrize(("n_rare", "n_new"), [(100, 100), (10, 190), (190, 10)])
def test_items_of_which_no_target_is_measured_are_not_lowered(n_rare: int, n_new: int) -> None:
    """With 10 targets, what it costs would not show."""
    lists, parts = two_items(n_rare, 5, n_new, 5)
    tried = Trials(lists, parts).at(Weights(rare=-2.0, new=-3.0)).weights
    assert tried["rare"] == (-2 if n_rare >= 50 else 0)
    assert tried["new"] == (-3 if n_new >= 50 else 0)


def test_a_part_that_no_view_finds_alone_is_compared_with_one_hit() -> None:
    trials = Trials(*two_items(100, 0, 100, 50))
    everything = trials.at(Weights(rare=2.5))
    assert (everything.rare, everything.new) == (1, 1)
    assert everything.tail == pytest.approx(2 / (1 / 100 + 1 / 2))


def test_a_climb_ends_where_no_two_weights_make_it_better() -> None:
    """The best are rare 2.2 and new 3.2; steps of half a weight lead to 2 and 3."""

    def value(point: Point) -> float:
        return -((point.weights["rare"] - 2.2) ** 2) - (point.weights["new"] - point.weights["rare"] - 1) ** 2

    trials = Trials(*two_items(100, 10, 200, 40))
    trials.at(Weights())
    trials.climb(value)
    assert trials.best(value).weights == Weights(rare=2.0, new=3.0)


def test_a_search_starts_with_the_model_alone_and_with_what_does_well_anywhere(tmp_path: Path) -> None:
    world = checkerboard(tmp_path)
    prefixes, model = world.test.prefixes(), Popularity(world.catalogue, world.train)
    views: dict[str, SessionView] = {"by_id": SessionKnn.fit(world.catalogue, world.train)}
    lists = shortlist(prefixes, Scorers(model, views, ItemPasts.of(world.catalogue), MOST))
    points = search(Trials(lists, parts_of(prefixes)), 0.01)
    assert points[0].weights == Weights()
    assert points[1].weights == Weights(by_id=STARTS[1]["by_id"])


@pytest.mark.parametrize(("loss", "hit", "rare"), [(0.0, 1.0, 0.0), (0.05, 0.95, 1.0)])
def test_a_search_goes_to_the_tail_as_far_as_it_may(loss: float, hit: float, rare: float) -> None:
    """Rare targets are hit where rare items rise by more than 1, which costs 3 of 100 others their place."""
    others, tail = np.arange(100), np.arange(100, 160)
    model, rarity = np.zeros((160, 21), np.float32), np.zeros((160, 21), np.float32)
    model[others, 0] = 0.4 * (others + 1)
    rarity[others, 1:] = 1
    model[tail, 0], rarity[tail, 0] = -1, 1
    lists = lists_of(model, {}, rarity)
    is_tail = np.arange(160) >= 100
    sample = Parts(~is_tail, is_tail, np.zeros(160, bool))
    chosen = choose(search(Trials(lists, sample), loss), loss)
    assert chosen.hit >= hit and chosen.rare == rare


def test_two_weights_are_changed_up_and_down_but_not_below_zero() -> None:
    found = steps_around(Weights(by_id=0.5, rare=0.5), ("by_id", "rare"), 1.0)
    by_id, rare = WEIGHTS["by_id"].step, WEIGHTS["rare"].step
    expected = {(i, r) for i in (0.0, 0.5, 0.5 + by_id) for r in (0.5 - rare, 0.5, 0.5 + rare)}
    assert {(each["by_id"], each["rare"]) for each in found} == expected
    assert {each["content"] for each in found} == {0.0}


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


@pytest.mark.parametrize(
    ("more", "rare", "left"),
    [(2, 0, ("by_id",)), (3, 0, ("by_id", "content")), (2, 100, ("by_id", "content"))],
    ids=["adds 2 to 400 hits", "adds 3", "adds 2 to 98 of rare targets"],
)
def test_a_view_that_adds_next_to_nothing_is_left_out(more: int, rare: int, left: tuple[str, ...]) -> None:
    """Sessions that hold the same items find 400 targets; words alone find a few more of the rare ones."""
    model, by_id, content = (np.zeros((1000, 21), np.float32) for _ in range(3))
    model[:, 0] = -1
    by_id[:400, 0] = content[398 : 400 + more, 0] = 2
    lists = lists_of(model, {"by_id": by_id, "content": content}, np.zeros_like(model))
    places = np.arange(1000)
    is_rare = (places >= 302) & (places < 302 + rare)
    trials = Trials(lists, Parts(np.ones(1000, bool), is_rare, np.zeros(1000, bool)))
    chosen = trials.at(Weights(by_id=1, content=1))
    assert chosen.hit == pytest.approx((400 + more) / 1000)
    found = without_idle_views(trials, chosen)
    assert found.weights.views() == left
    assert found.weights["by_id"] == 1


def test_the_frontier_leaves_out_what_others_beat_on_both() -> None:
    best, middle, last = point(0.3, 0, 0.1), point(0.2, 0, 0.2), point(0.1, 0, 0.3)
    others = [point(0.2, 0, 0.1), point(0.1, 0, 0.2), point(0.3, 0, 0.05)]
    assert frontier([last, *others, middle, best]) == [best, middle, last]
