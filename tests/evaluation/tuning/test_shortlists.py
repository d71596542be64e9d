"""The items that mixtures could rank first."""

from __future__ import annotations

import numpy as np

from m2trec_merlin.evaluation.outcomes import UNRANKED
from m2trec_merlin.evaluation.tuning.shortlists import Scorers, shortlist
from m2trec_merlin.neighbours.pasts import ItemPasts
from m2trec_merlin.sessions import Prefixes, Sessions

#: Occurrences of no item and of nine more.
PASTS = ItemPasts.known(np.array([0, 99, 99, 99, 99, 99, 99, 99, 5, 0]))


class Fixed:
    """Scores that are given, a line for each prefix of a session of three."""

    name = "fixed"
    candidates = "some"

    def __init__(self, *lines: list[float]) -> None:
        self.lines = np.array(lines, np.float32)

    def score(self, prefixes: Prefixes) -> np.ndarray:
        return self.lines[prefixes.length - 1].copy()


PREFIXES = Sessions.from_lists([[1, 2, 3]]).prefixes()
NONE = -np.inf
MODEL = Fixed(
    [NONE, 9, 8, 7, 6, 5, 4, 3, 2, 1],
    [NONE, 1, 2, NONE, 4, 5, 6, 7, 8, 9],
)
NEAR = Fixed([NONE, 0, 0, 0, 0, 1, 0, 0, 0, 0], [NONE, 0, 0, 0, 0, 0, 0, 0, 0, 0])


def test_the_best_of_each_view_are_kept() -> None:
    lists = shortlist(PREFIXES, Scorers(MODEL, {"by_id": NEAR}, PASTS, 3), best=1)
    kept = np.isfinite(lists.model).sum(axis=1)
    # Rows 1 by the model and 5 by neighbours; after the second prefix row 9 by both.
    assert kept.tolist() == [2, 1]
    assert np.sort(lists.lifts["by_id"][0]).tolist() == [0, np.float32(np.log(21))]
    assert sorted(lists.rarity[1].tolist()) == [0.0, 1.0]
    assert lists.target.tolist() == [-1, -1]


def test_next_items_are_ranked_as_among_all_items() -> None:
    lists = shortlist(PREFIXES, Scorers(MODEL, {}, PASTS, 3), best=9)
    assert lists.ranks(lists.model).tolist() == [2, UNRANKED]
    assert lists.ranks(np.where(np.isfinite(lists.model), 0, -np.inf)).tolist() == [9, UNRANKED]


def test_next_items_that_no_view_keeps_are_missed() -> None:
    lists = shortlist(PREFIXES, Scorers(MODEL, {}, PASTS, 3), best=1)
    assert lists.ranks(lists.model).tolist() == [UNRANKED, UNRANKED]


def test_sessions_are_as_new_as_the_events_that_views_are_shown() -> None:
    """Items 1 and 2 have 99 occurrences, a rarity of 5 / 104; item 8 has 5, a rarity of a half."""
    prefixes = Sessions.from_lists([[8, 1, 2]]).prefixes()
    both, last = (shortlist(prefixes, Scorers(MODEL, {}, PASTS, most)).novelty for most in (2, 1))
    often, half = 5 / 104, 0.5
    mean = np.array([half, (often + half) / 2])
    np.testing.assert_allclose(both, np.log((0.05 + mean) / 0.25), rtol=1e-5)
    np.testing.assert_allclose(last, np.log((0.05 + np.array([half, often])) / 0.25), rtol=1e-5)


def test_where_a_view_ties_the_model_decides() -> None:
    lists = shortlist(PREFIXES, Scorers(MODEL, {"by_id": NEAR}, PASTS, 3), best=9)
    # Item 2 is first of the others after the first prefix, but for item 5, which alone has neighbours.
    scores = lists.alone("by_id")
    order = np.argsort(-scores[0])[:3]
    assert lists.lifts["by_id"][0][order].tolist() == [np.float32(np.log(21)), 0, 0]
    assert (np.diff(lists.model[0][order[1:]]) < 0).all()


def test_what_a_session_holds_is_left_out_where_evaluation_leaves_it_out() -> None:
    prefixes = Sessions.from_lists([[1, 9, 8]]).prefixes()
    kept, left_out = (
        shortlist(prefixes, Scorers(MODEL, {"by_id": NEAR}, PASTS, 3, each), best=9) for each in (False, True)
    )
    assert kept.ranks(kept.model).tolist() == [9, 2]
    assert left_out.ranks(left_out.model).tolist() == [8, 1]
