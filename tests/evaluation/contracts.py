"""What every scorer must fulfil; inherit and say how yours is built."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.scores import ItemScorer
from m2trec_merlin.sessions import Sessions
from tests.worlds.checkerboard import checkerboard

ORDER = np.array([7, 12, 1, 9, 4, 11, 2, 8, 5, 3, 10, 6])


class ItemScorerContract:
    """Tests of a scorer on the checkerboard world."""

    def build(self, catalogue: Catalogue, train: Sessions) -> ItemScorer:
        raise NotImplementedError

    def scores(self, directory: Path, order: np.ndarray | None = None) -> np.ndarray:
        world = checkerboard(directory, order)
        return self.build(world.catalogue, world.train).score(world.test.prefixes()).copy()

    def test_is_a_scorer(self, tmp_path: Path) -> None:
        world = checkerboard(tmp_path)
        scorer = self.build(world.catalogue, world.train)
        assert isinstance(scorer, ItemScorer)
        assert scorer.name
        assert scorer.candidates

    def test_scores_have_one_column_a_row(self, tmp_path: Path) -> None:
        world = checkerboard(tmp_path)
        scores = self.scores(tmp_path)
        assert scores.dtype == np.float32
        assert scores.shape == (world.test.n_prefixes, 13)

    def test_only_row_0_and_own_items_are_no_candidates(self, tmp_path: Path) -> None:
        world = checkerboard(tmp_path)
        prefixes = world.test.prefixes()
        for index, line in enumerate(self.scores(tmp_path)):
            assert not np.isnan(line).any()
            assert line[0] == -np.inf
            others = np.setdiff1d(np.arange(1, 13), prefixes.items(index))
            assert np.isfinite(line[others]).all()

    def test_is_deterministic(self, tmp_path: Path) -> None:
        np.testing.assert_array_equal(self.scores(tmp_path), self.scores(tmp_path))

    def test_the_caller_may_write_into_the_scores(self, tmp_path: Path) -> None:
        world = checkerboard(tmp_path)
        scorer = self.build(world.catalogue, world.train)
        prefixes = world.test.prefixes()
        first = scorer.score(prefixes)
        expected = first.copy()
        first[:] = 7
        np.testing.assert_array_equal(scorer.score(prefixes), expected)

    def test_block_size_does_not_change_scores(self, tmp_path: Path) -> None:
        world = checkerboard(tmp_path)
        scorer = self.build(world.catalogue, world.train)
        prefixes = world.test.prefixes()
        expected = scorer.score(prefixes).copy()
        for size in (1, 7):
            blocks = [scorer.score(block).copy() for block in prefixes.blocks(size)]
            np.testing.assert_allclose(np.concatenate(blocks), expected, rtol=1e-5, atol=1e-6)

    def test_the_future_does_not_change_scores(self, tmp_path: Path) -> None:
        world = checkerboard(tmp_path)
        scorer = self.build(world.catalogue, world.train)
        short = Sessions.from_lists([[1, 3, 5]])
        long = Sessions.from_lists([[1, 3, 9, 2]])
        a = scorer.score(short.prefixes()).copy()[:2]
        b = scorer.score(long.prefixes()).copy()[:2]
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)

    def test_permuting_the_catalogue_permutes_the_scores(self, tmp_path: Path) -> None:
        expected = self.scores(tmp_path / "a")
        permuted = self.scores(tmp_path / "b", ORDER)
        np.testing.assert_allclose(permuted[:, 1:], expected[:, ORDER], rtol=1e-4, atol=1e-5)

    def test_unknown_items_are_tolerated(self, tmp_path: Path) -> None:
        world = checkerboard(tmp_path)
        scorer = self.build(world.catalogue, world.train)
        unknown = Sessions.from_lists([[0, 0, 0], [1, 0, 3, 5], [1, 3, 5]])
        scores = scorer.score(unknown.prefixes())
        assert not np.isnan(scores).any()
        assert np.isneginf(scores[:, 0]).all()
        assert np.isfinite(scores[0, 1:]).all()
