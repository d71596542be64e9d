"""Items that stand beside those of a session, in the short list of each."""

from __future__ import annotations

import numpy as np
import pytest

from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.neighbours import item_lists
from m2trec_merlin.neighbours.item_lists import SHRINKAGE, ItemLists, item_likeness
from m2trec_merlin.sessions import Sessions
from tests.evaluation.contracts import ItemScorerContract
from tests.worlds.checkerboard import make_catalogue


class TestItemLists(ItemScorerContract):
    def build(self, catalogue: Catalogue, train: Sessions) -> ItemLists:
        return ItemLists(catalogue, train)


#: Item 1 is in four sessions, 2 in three, 3 in two; NO_ITEM stands in one, an item twice in another.
TRAIN = Sessions.from_lists([[1, 2, 3], [1, 2, 0], [2, 1, 1], [1, 4], [3, 5]])


def test_likeness_is_that_of_the_formula() -> None:
    found = item_likeness(TRAIN, 6, shrinkage=2.0).toarray()
    expected = np.zeros((6, 6))
    for i, j, together in ((1, 2, 3), (1, 3, 1), (2, 3, 1), (1, 4, 1), (3, 5, 1)):
        sessions = {1: 4, 2: 3, 3: 2, 4: 1, 5: 1}
        expected[i, j] = expected[j, i] = together / (np.sqrt(sessions[i] * sessions[j]) + 2)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_each_list_keeps_its_greatest_entries() -> None:
    whole = item_likeness(TRAIN, 6, shrinkage=2.0).toarray()
    kept = item_likeness(TRAIN, 6, shrinkage=2.0, kept=1).toarray()
    assert (kept[1:] > 0).sum(axis=1).tolist() == [1] * 5
    np.testing.assert_array_equal(kept.max(axis=1), whole.max(axis=1))


@pytest.mark.parametrize("kept", [None, 2])
def test_the_size_of_blocks_changes_nothing(kept: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = item_likeness(TRAIN, 6, 2.0, kept).toarray()
    monkeypatch.setattr(item_lists, "_BLOCK", 3)
    np.testing.assert_array_equal(item_likeness(TRAIN, 6, 2.0, kept).toarray(), whole)


def test_no_sessions_give_empty_lists() -> None:
    assert item_likeness(Sessions.from_lists([]), 4, 2.0, 3).nnz == 0
    assert item_likeness(Sessions.from_lists([[1], [0, 2]]), 4, 2.0).nnz == 0


def test_of_long_sessions_the_last_events_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(item_lists, "LONGEST", 2)
    pairs = item_likeness(TRAIN, 6, 2.0).tocoo()
    assert {(int(i), int(j)) for i, j in zip(pairs.row, pairs.col, strict=True)} == {
        *((2, 3), (3, 2), (1, 4), (4, 1), (3, 5), (5, 3))
    }


def test_what_stands_beside_later_items_scores_more() -> None:
    """After 4, 3: item 5 is beside the last one, 1 beside both; the highest score is 1."""
    view = ItemLists(make_catalogue([4, 3, 2, 1, 1]), TRAIN)
    groups, scores = view.say(np.array([4, 0, 3]))
    likeness = item_likeness(TRAIN, 6, SHRINKAGE).toarray()
    expected = likeness[3] + likeness[4] / 3
    np.testing.assert_allclose(scores, expected[groups] / expected.max(), rtol=1e-6)
    assert groups.tolist() == [1, 2, 5]


def test_after_unknown_items_nothing_is_said() -> None:
    groups, scores = ItemLists(make_catalogue([4, 3, 2, 1, 1]), TRAIN).say(np.array([0, 0]))
    assert len(groups) == len(scores) == 0
