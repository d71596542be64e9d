"""A linear model of which items stand together."""

from __future__ import annotations

import numpy as np
import pytest

from m2trec_merlin.baselines import ease
from m2trec_merlin.baselines.ease import PENALTY, POPULARITY_WEIGHT, Ease
from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.errors import DataError
from m2trec_merlin.sessions import Sessions
from tests.evaluation.contracts import ItemScorerContract
from tests.worlds.encoded import tiny_catalogue


class TestEase(ItemScorerContract):
    def build(self, catalogue: Catalogue, train: Sessions) -> Ease:
        return Ease(catalogue, train)


def test_weights_are_those_of_the_ridge_regression_of_each_item_on_the_others() -> None:
    train = [[1, 2, 3], [1, 2], [2, 3, 4], [1, 4], [5, 1]]
    scorer = Ease(tiny_catalogue(), Sessions.from_lists(train))
    held = np.zeros((len(train), 24))
    for session, items in enumerate(train):
        held[session, np.array(items) - 1] = 1
    others = np.delete(np.arange(24), 2)
    pairs = held[:, others].T @ held[:, others] + PENALTY * np.eye(23)
    expected = np.linalg.solve(pairs, held[:, others].T @ held[:, 2])
    np.testing.assert_allclose(scorer.weights[others, 2], expected, rtol=1e-4, atol=1e-8)
    prefixes = Sessions.from_lists([[1, 2, 3]]).prefixes()
    weight = dict(zip(others + 1, expected, strict=True))
    assert scorer.score(prefixes)[1, 3] == pytest.approx(0.5 * weight[1] + weight[2], abs=POPULARITY_WEIGHT)


def test_too_many_items_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ease, "MOST_ITEMS", 23)
    with pytest.raises(DataError, match="all pairs of known items: 23 items at most, not 24"):
        Ease(tiny_catalogue(), Sessions.from_lists([[1, 2]]))
