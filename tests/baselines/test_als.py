"""Matrix factorisation by merlin-models, folding in sessions that it has never seen."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from m2trec_merlin.baselines.als import CONFIDENCE, POPULARITY_WEIGHT, REGULARISATION, Als
from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.errors import MissingDependencyError
from m2trec_merlin.sessions import Sessions
from tests.evaluation.contracts import ItemScorerContract
from tests.worlds.checkerboard import checkerboard
from tests.worlds.encoded import tiny_catalogue


class TestAls(ItemScorerContract):
    def build(self, catalogue: Catalogue, train: Sessions) -> Als:
        return Als(catalogue, train)


def test_a_new_session_is_the_least_squares_of_its_items() -> None:
    scorer = Als(tiny_catalogue(), Sessions.from_lists([[1, 2, 3], [1, 2], [2, 3, 4], [1, 4], [5, 1]]))
    # Items of training sessions only, by id.
    assert scorer.rows.tolist() == [1, 2, 3, 4, 5]
    vectors = scorer.model.item_factors.astype(np.float64)
    confidence = np.array([1, CONFIDENCE, 1, CONFIDENCE, 1])
    held = np.array([0, 1, 0, 1, 0])
    ridge = vectors.T @ (confidence[:, np.newaxis] * vectors) + REGULARISATION * np.eye(vectors.shape[1])
    expected = vectors @ np.linalg.solve(ridge, vectors.T @ (confidence * held))
    # Row 9 is known to the catalogue and stands in no training session.
    scores = scorer.score(Sessions.from_lists([[4, 9, 0, 2, 3]]).prefixes())[3]
    others = [0, 2, 4]
    np.testing.assert_allclose(scores[scorer.rows][others], expected[others], atol=2 * POPULARITY_WEIGHT)
    assert np.isneginf(scores[[2, 4, 9]]).all()


def test_the_best_item_is_of_the_session_s_colour(tmp_path: Path) -> None:
    world = checkerboard(tmp_path)
    scorer, prefixes = Als(world.catalogue, world.train), world.test.prefixes()
    for index, line in enumerate(scorer.score(prefixes)):
        held = prefixes.items(index)
        same = [row for row in range(1, 13) if row % 2 == held[0] % 2 and row not in held]
        other = [row for row in range(1, 13) if row % 2 != held[0] % 2]
        assert line[same].max() > line[other].max()


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "implicit", None)
    monkeypatch.delitem(sys.modules, "merlin.models.implicit", raising=False)
    with pytest.raises(MissingDependencyError, match=r"'m2trec-merlin\[baselines\]', or leave it out of"):
        Als(tiny_catalogue(), Sessions.from_lists([[1, 2]]))
