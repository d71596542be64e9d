from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from m2trec_merlin.config import EvaluationConfig
from m2trec_merlin.encoded import EncodedColumn, Field, Layout
from m2trec_merlin.evaluation import ranking
from m2trec_merlin.evaluation.outcomes import UNMEASURED, UNRANKED
from m2trec_merlin.evaluation.ranking import (
    evaluate,
    identify_prefixes,
    prefixes_of,
    rank,
    rank_categories,
    rank_items,
    sample_prefixes,
    top_rows,
    top_values,
)
from m2trec_merlin.sessions import Prefixes, Sessions
from tests.told import Told
from tests.worlds.checkerboard import ColourScorer, FunctionScorer, checkerboard, make_catalogue
from tests.worlds.encoded import ragged

INF, NAN = np.inf, np.nan


def test_prefixes_are_all_or_the_longest_of_each_session() -> None:
    sessions = Sessions.from_lists([[1, 2, 3], [4], [5, 6]])
    lengths = {
        kind: prefixes_of(sessions, EvaluationConfig(prefixes=kind)).length.tolist()
        for kind in ("all", "last")
    }
    assert lengths == {"all": [1, 2, 1], "last": [2, 1]}


def test_a_session_whose_last_event_is_no_target_has_no_last_prefix() -> None:
    """With the split leave_one_out, the events before it are those of training."""
    sessions = replace(
        Sessions.from_lists([[1, 2, 3], [4, 5, 6]]),
        is_target=np.array([False, True, False, False, False, True]),
    )
    found = prefixes_of(sessions, EvaluationConfig(prefixes="last"))
    assert (found.session.tolist(), found.length.tolist()) == ([1], [2])


def test_the_same_prefixes_are_told_in_any_order_and_catalogue() -> None:
    catalogue = make_catalogue([1] * 9)
    sessions = [[1, 2, 3], [4, 5]]
    told = identify_prefixes(Sessions.from_lists(sessions).prefixes(), catalogue)
    assert told == identify_prefixes(Sessions.from_lists(sessions[::-1]).prefixes(), catalogue)
    other = replace(catalogue, item_ids=catalogue.item_ids[::-1].astype(str))
    moved = [[len(other.item_ids) - 1 - row for row in session] for session in sessions]
    assert told == identify_prefixes(Sessions.from_lists(moved).prefixes(), other)
    some = Sessions.from_lists(sessions).prefixes().take(np.array([0, 2]))
    for differing in (some, Sessions.from_lists([[1, 2, 4], [4, 5]]).prefixes()):
        assert told != identify_prefixes(differing, catalogue)


def scores_of(*lines: list[float]) -> np.ndarray:
    return np.array(lines, dtype=np.float32)


@pytest.mark.parametrize(
    ("line", "column", "expected"),
    [
        ([-INF, 3, 2, 1], 1, 1),
        ([-INF, 3, 2, 1], 3, 3),
        ([-INF, 2, 2, 1], 1, 2),  # a tie is lost
        ([-INF, 2, 2, 2], 2, 3),
        ([-INF, 5, -INF, 1], 3, 2),  # what is no candidate cannot be ahead
        ([-INF, 5, -INF, 1], 2, UNRANKED),
        ([-INF, 5, NAN, 1], 1, 2),  # a broken score counts as ahead
        ([-INF, 5, NAN, 1], 2, UNRANKED),
        ([-INF, INF, 2, 1], 1, UNRANKED),
        ([-INF, INF, 2, 1], 2, 2),
        ([-INF, 1, 2, 3], 0, UNRANKED),  # the next item is not in the catalogue
    ],
)
def test_rank_counts_ties_against_the_column(line: list[float], column: int, expected: int) -> None:
    assert rank(scores_of(line), np.array([column])).tolist() == [expected]


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def test_ranks_are_the_same_on_every_device(device: str) -> None:
    generator = np.random.default_rng(0)
    # Few values, so that there are ties; broken scores and items that are no candidates among them.
    scores = generator.choice([0.0, 1.0, 2.0, 3.0, -INF, NAN, INF], (200, 40)).astype(np.float32)
    columns = generator.integers(0, 40, 200)
    own = scores[np.arange(200), columns]
    # Whatever is not below it is ahead of it, itself excepted.
    ahead = (~(scores < own[:, None])).sum(1) - 1
    expected = np.where(np.isfinite(own), 1 + ahead, UNRANKED)
    placed = torch.from_numpy(scores).to(device)
    assert rank(placed, columns).tolist() == expected.tolist()
    finite = torch.from_numpy(generator.choice([0.0, 1.0, 2.0, -INF], (200, 40)).astype(np.float32))
    sessions = Sessions.from_lists(generator.integers(1, 40, (100, 3)).tolist()).prefixes()
    on_cpu, there = (
        rank_items(finite, sessions, (1, 5, 60)),
        rank_items(finite.to(device), sessions, (1, 5, 60)),
    )
    for name in ("target", "found", "remaining"):
        np.testing.assert_array_equal(getattr(on_cpu, name), getattr(there, name))
    assert top_values(finite.to(device), 5).cpu().equal(finite.sort(1, descending=True).values[:, :5])


def test_scores_of_a_model_are_ranked_where_they_are() -> None:
    """A scorer that has tensors is asked for these, and gives the same result."""
    catalogue, prefixes = (
        make_catalogue([5, 4, 3, 2, 1]),
        Sessions.from_lists([[1, 2, 3, 4], [5, 3]]).prefixes(),
    )

    class OnDevice(FunctionScorer):
        def score_tensor(self, prefixes: Prefixes) -> torch.Tensor:
            return torch.from_numpy(super().score(prefixes))

        def score(self, prefixes: Prefixes) -> np.ndarray:
            raise AssertionError("scores came to the host")

    settings = EvaluationConfig(ks=[1, 3], baselines=[], exclude_session_items=True)
    found = []
    for kind in (FunctionScorer, OnDevice):
        scorer = kind(lambda items: [-INF, *(row % 3 + len(items) for row in range(1, 6))])
        allowed = np.array([False, True, True, True, True, False])
        found.append(evaluate(scorer, prefixes, catalogue, settings, candidates=allowed).items)
    np.testing.assert_array_equal(found[0].target, found[1].target)
    np.testing.assert_array_equal(found[0].found, found[1].found)
    # Scores are 1, 2, 0, 1, 2; row 5 may not be recommended, nor what the prefix holds.
    assert found[0].target.tolist() == [1, 2, 1, 4]


def test_each_unknown_item_that_remains_is_one() -> None:
    prefixes = Sessions.from_lists([[1, 2, 0, 0, 0]]).prefixes().take(np.array([0]))
    ranks = rank_items(scores_of([-INF, 0, 8]), prefixes, (1,))
    assert (ranks.remaining.tolist(), ranks.found.tolist()) == ([4], [[1]])


def test_remaining_items_are_counted_once_and_lose_ties() -> None:
    # After item 1 there remain 2, 3, 2 and 4. Scores: 5 is first, 2 second, 3 and 6 tie for third.
    prefixes = Sessions.from_lists([[1, 2, 3, 2, 4]]).prefixes().take(np.array([0]))
    scores = scores_of([-INF, 0, 8, 7, 1, 9, 7])
    ranks = rank_items(scores, prefixes, (1, 2, 3, 4, 7))
    assert ranks.target.tolist() == [2]
    assert ranks.remaining.tolist() == [3]
    assert ranks.found.tolist() == [[0, 1, 1, 2, 3]]


def test_cut_offs_beyond_the_catalogue_find_every_candidate() -> None:
    prefixes = Sessions.from_lists([[1, 2, 3]]).prefixes()
    scores = scores_of([-INF, 1, 2, -INF], [-INF, 1, 2, -INF])
    ranks = rank_items(scores, prefixes, (50,))
    assert ranks.found.tolist() == [[1], [0]]


def test_infinite_scores_of_remaining_items_are_misses() -> None:
    prefixes = Sessions.from_lists([[1, 2, 3]]).prefixes().take(np.array([0]))
    ranks = rank_items(scores_of([-INF, 0, 1, INF]), prefixes, (1, 3))
    assert ranks.found.tolist() == [[0, 1]]


def test_rank_of_categories_ignores_reserved_ids() -> None:
    scores = scores_of([9, 9, 9, 1, 2], [9, 9, 9, 1, 2], [9, 9, 9, 1, 2], [9, 9, 9, 1, 2])
    truth = EncodedColumn(Field("colour", Layout.IDS, 5), np.array([4, 3, 2, 1]))
    ranks = rank_categories(scores, truth)
    assert ranks.tolist() == [1, 2, UNRANKED, UNMEASURED]
    assert scores[0, 0] == 9, "the scorer's scores must not be written to"


def test_of_several_categories_the_best_placed_one_counts() -> None:
    tags, offsets = ragged([[4, 5], [5, 3, 1], [2, 5], [2, 0], [1]])
    truth = EncodedColumn(Field("tags", Layout.ID_LISTS, 6), tags, offsets)
    ranks = rank_categories(scores_of(*[[9, 9, 9, 3, 2, 1]] * 5), truth)
    assert ranks.tolist() == [2, 1, 3, UNRANKED, UNMEASURED]


def test_top_values_and_rows_fill_up_short_lines() -> None:
    scores = scores_of([-INF, 3, 5, 4], [-INF, -INF, 1, -INF])
    assert top_values(scores, 2).tolist() == [[5, 4], [1, -INF]]
    assert top_values(scores, 6)[0].tolist() == [5, 4, 3, -INF, -INF, -INF]
    assert top_rows(scores, 2).tolist() == [[2, 3], [2, 0]]
    assert top_rows(scores, 6)[0].tolist() == [2, 3, 1, 0, 0, 0]


def test_sample_is_seeded_ordered_and_no_larger_than_asked() -> None:
    prefixes = Sessions.from_lists([[1, 2, 3, 4]] * 50).prefixes()
    a, b = sample_prefixes(prefixes, 20, seed=1), sample_prefixes(prefixes, 20, seed=1)
    assert len(a) == 20
    np.testing.assert_array_equal(a.session * 10 + a.length, b.session * 10 + b.length)
    assert (np.diff(a.session * 10 + a.length) > 0).all()
    assert (sample_prefixes(prefixes, 20, seed=2).session != a.session).any()
    assert sample_prefixes(prefixes, None, seed=1) is prefixes
    assert sample_prefixes(prefixes, 150, seed=1) is prefixes


def by_row(n_items: int) -> FunctionScorer:
    """Lower rows first, whatever the prefix."""
    return FunctionScorer(lambda prefix: [-float(row) for row in range(n_items + 1)])


def test_candidates_restrict_what_is_ranked() -> None:
    catalogue = make_catalogue([3, 2, 1, 0])
    prefixes = Sessions.from_lists([[1, 4], [1, 2]]).prefixes()
    candidates = np.array([False, False, False, True, True])
    config = EvaluationConfig(ks=[1, 2])
    everything = evaluate(by_row(4), prefixes, catalogue, config)
    restricted = evaluate(by_row(4), prefixes, catalogue, config, candidates=candidates)
    assert everything.items is not None and restricted.items is not None
    assert everything.items.target.tolist() == [4, 2]
    assert restricted.items.target.tolist() == [2, UNRANKED]
    assert restricted.items.found.tolist() == [[0, 1], [0, 0]]
    assert "2 allowed" in restricted.candidates


def test_session_items_can_be_excluded() -> None:
    catalogue = make_catalogue([3, 2, 1])
    prefixes = Sessions.from_lists([[1, 2, 1, 3]]).prefixes()
    outcome = evaluate(by_row(3), prefixes, catalogue, EvaluationConfig(ks=[1], exclude_session_items=True))
    assert outcome.items is not None
    assert outcome.items.target.tolist() == [1, UNRANKED, 1]


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_block_size_changes_nothing_but_the_calls(size: int, tmp_path: Path) -> None:
    world = checkerboard(tmp_path)
    prefixes = world.test.prefixes()
    told = Told()

    def score(prefix: list[int]) -> list[float]:
        return [float((row * 7 + sum(prefix)) % 5) for row in range(13)]

    config = EvaluationConfig(block_prefixes=size)
    outcome = evaluate(FunctionScorer(score), prefixes, world.catalogue, config, progress=told)
    reference = evaluate(FunctionScorer(score), prefixes, world.catalogue, EvaluationConfig())
    assert outcome.items is not None and reference.items is not None
    np.testing.assert_array_equal(outcome.items.target, reference.items.target)
    np.testing.assert_array_equal(outcome.items.found, reference.items.found)
    [looks] = told.tasks.values()
    blocks = np.diff([0, *(done for done, _, _ in looks)])
    assert blocks.sum() == len(prefixes)
    assert blocks.max() <= size


def test_memory_is_bounded_for_large_catalogues(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranking, "MAX_BLOCK_SCORES", 12)
    told = Told()
    prefixes = Sessions.from_lists([[1, 2, 3, 1, 2, 3]]).prefixes()
    evaluate(by_row(3), prefixes, make_catalogue([3, 2, 1]), EvaluationConfig(), progress=told)
    [looks] = told.tasks.values()
    assert [done for done, _, _ in looks] == [3, 5]


def test_a_scorer_of_categories_only(tmp_path: Path) -> None:
    world = checkerboard(tmp_path)
    outcome = evaluate(
        ColourScorer(world.catalogue), world.test.prefixes(), world.catalogue, EvaluationConfig()
    )
    assert outcome.items is None
    assert (outcome.categories["colour"] == 1).all()


def test_nothing_to_score_gives_an_empty_outcome() -> None:
    prefixes = Sessions.from_lists([[1]]).prefixes()
    outcome = evaluate(by_row(2), prefixes, make_catalogue([1, 1]), EvaluationConfig())
    assert outcome.items is not None
    assert outcome.items.target.shape == (0,)
    assert outcome.items.found.shape == (0, 3)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (np.zeros((1, 3), np.float32), "row 0 is no item"),
        (np.full((1, 2), -INF, np.float32), r"float32 \(1, 2\), expected float32 \(1, 3\)"),
        (np.full((1, 3), -INF, np.float64), "scores are float64"),
    ],
)
def test_broken_scorers_are_refused(broken: np.ndarray, message: str) -> None:
    class Broken:
        name = "broken"
        candidates = "all catalogue items"

        def score(self, prefixes: Prefixes) -> np.ndarray:
            return broken

    prefixes = Sessions.from_lists([[1, 2]]).prefixes()
    with pytest.raises(ValueError, match=message):
        evaluate(Broken(), prefixes, make_catalogue([1, 1]), EvaluationConfig())
