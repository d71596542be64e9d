"""Items that stand beside those of a session, in the short list of each."""

from __future__ import annotations

import numpy as np
import pytest

from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.neighbours import item_lists
from m2trec_merlin.neighbours.item_lists import SHRINKAGE, ItemLists, lists_of
from m2trec_merlin.sessions import Sessions
from tests.evaluation.contracts import ItemScorerContract
from tests.worlds.checkerboard import make_catalogue


class TestItemLists(ItemScorerContract):
    def build(self, catalogue: Catalogue, train: Sessions) -> ItemLists:
        return ItemLists.fit(catalogue, train)


#: NO_ITEM stands in one session, an item twice in another.
TRAIN = Sessions.from_lists([[1, 2, 3], [1, 2, 0, 5], [2, 1, 1], [1, 4], [3, 5]])
#: Sums of 1 / steps of the pairs above, and events of each item.
NEAR = {
    (1, 2): 1 + 1 + 1 + 1 / 2,
    (1, 3): 1 / 2,
    (2, 3): 1,
    (1, 5): 1 / 3,
    (2, 5): 1 / 2,
    (1, 4): 1,
    (3, 5): 1,
}
EVENTS = {1: 5, 2: 3, 3: 2, 4: 1, 5: 2}


def expected() -> np.ndarray:
    found = np.zeros((6, 6))
    for (i, j), near in NEAR.items():
        found[i, j] = found[j, i] = near / (np.sqrt(EVENTS[i] * EVENTS[j]) + SHRINKAGE)
    return found


def test_likeness_is_that_of_the_formula() -> None:
    np.testing.assert_allclose(lists_of(TRAIN, 6).toarray(), expected(), rtol=1e-6)


def test_each_list_keeps_its_greatest_entries() -> None:
    kept = lists_of(TRAIN, 6, kept=1).toarray()
    assert (kept[1:] > 0).sum(axis=1).tolist() == [1] * 5
    np.testing.assert_allclose(kept.max(axis=1), expected().max(axis=1), rtol=1e-6)


def test_events_far_apart_are_not_near(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(item_lists, "STEPS", 1)
    pairs = lists_of(Sessions.from_lists([[1, 2, 3]]), 4).tocoo()
    found = {(int(i), int(j)) for i, j in zip(pairs.row, pairs.col, strict=True)}
    assert found == {(1, 2), (2, 1), (2, 3), (3, 2)}


@pytest.mark.parametrize("kept", [100, 2])
def test_the_size_of_blocks_changes_nothing(kept: int, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = lists_of(TRAIN, 6, kept).toarray()
    monkeypatch.setattr(item_lists, "_BLOCK", 3)
    np.testing.assert_array_equal(lists_of(TRAIN, 6, kept).toarray(), whole)


def test_no_sessions_give_empty_lists() -> None:
    assert lists_of(Sessions.from_lists([]), 4).nnz == 0
    assert lists_of(Sessions.from_lists([[1], [0, 2]]), 4).nnz == 0
    assert lists_of(Sessions.from_lists([[1, 2]]), 4).shape == (4, 4)


def test_what_stands_beside_later_items_scores_more() -> None:
    """After 4, 3: items 2 and 5 are beside the last one, 1 beside both; the highest score is 1."""
    groups, scores = ItemLists.fit(make_catalogue([5, 3, 2, 1, 2]), TRAIN).score_near(np.array([4, 0, 3]))
    both = expected()[3] + expected()[4] / 3
    np.testing.assert_allclose(scores, both[groups] / both.max(), rtol=1e-6)
    assert groups.tolist() == [1, 2, 5]


def test_after_unknown_items_nothing_is_said() -> None:
    groups, scores = ItemLists.fit(make_catalogue([4, 3, 2, 1, 1]), TRAIN).score_near(np.array([0, 0]))
    assert len(groups) == len(scores) == 0
