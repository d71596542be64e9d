from __future__ import annotations

import numpy as np

from m2trec_merlin.search.candidates import Found
from m2trec_merlin.search.choosing import DiverseChoice

FOUND = Found(np.array([10, 11, 12, 13, 14]), np.array([5.0, 4.0, 3.0, 2.0, 1.0], np.float32))
VALUES = [("a",), ("a",), ("a", "b"), ("b",), ()]


def chosen(choice: DiverseChoice, k: int = 5) -> list[int]:
    return choice.choose(FOUND, VALUES, k).rows.tolist()


def test_at_most_so_many_share_a_value() -> None:
    assert chosen(DiverseChoice("tags", 1, 0.0)) == [10, 13, 14]
    assert chosen(DiverseChoice("tags", 2, 0.0)) == [10, 11, 13, 14]
    assert chosen(DiverseChoice("tags", 2, 0.0), k=3) == [10, 11, 13]
    assert chosen(DiverseChoice("tags", 3, 0.0)) == [10, 11, 12, 13, 14]


def test_by_weight_the_most_different_comes_next() -> None:
    # After 10 (a): 11 is all the same, 12 half. 4 - 1.8, 3 - 0.9, 2 and 1: 11 comes next by 2.2, not by 2.1.
    assert chosen(DiverseChoice("tags", None, 0.0)) == [10, 11, 12, 13, 14]
    assert chosen(DiverseChoice("tags", None, 1.8)) == [10, 11, 12, 13, 14]
    assert chosen(DiverseChoice("tags", None, 2.5), k=3) == [10, 13, 12]
    assert chosen(DiverseChoice("tags", None, 100.0), k=3) == [10, 13, 14]


def test_scores_are_those_without_and_nothing_is_chosen_of_nothing() -> None:
    found = DiverseChoice("tags", None, 100.0).choose(FOUND, VALUES, 3)
    assert found.scores.tolist() == [5.0, 2.0, 1.0]
    nothing = Found(np.zeros(0, np.int64), np.zeros(0, np.float32))
    assert len(DiverseChoice("tags", 1, 1.0).choose(nothing, [], 3).rows) == 0
