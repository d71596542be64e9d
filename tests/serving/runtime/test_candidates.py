"""What every index of candidates has to find, held against plain NumPy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from m2trec_merlin.errors import ArtifactError
from m2trec_merlin.serving.contract.version import CANDIDATE_VECTORS, SCORE_GRAPH
from m2trec_merlin.serving.export.graphs import export_scores
from m2trec_merlin.serving.runtime.candidates import Candidates, Wish
from m2trec_merlin.serving.runtime.indexes import INDEXES, open_index

N_ROWS, WIDTH = 41, 6


def write(folder: Path, vectors: np.ndarray, biases: np.ndarray) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / CANDIDATE_VECTORS, vectors)
    np.save(folder / "biases.npy", biases)
    export_scores(folder / CANDIDATE_VECTORS, biases, folder / SCORE_GRAPH)


@pytest.mark.parametrize("name", INDEXES)
class TestContract:
    @pytest.fixture
    def vectors(self) -> np.ndarray:
        vectors = np.random.default_rng(0).normal(size=(N_ROWS, WIDTH)).astype(np.float32)
        vectors[7] = vectors[3]  # a tie, whatever the query
        return vectors

    @pytest.fixture
    def biases(self) -> np.ndarray:
        biases = np.random.default_rng(1).normal(size=N_ROWS).astype(np.float32)
        biases[0] = -np.inf
        biases[7] = biases[3]
        biases[11] = -np.inf  # a row that has no candidate
        return biases

    @pytest.fixture
    def queries(self) -> np.ndarray:
        return np.random.default_rng(2).normal(size=(4, WIDTH)).astype(np.float32)

    @pytest.fixture
    def index(self, name: str, tmp_path: Path, vectors: np.ndarray, biases: np.ndarray) -> Candidates:
        write(tmp_path, vectors, biases)
        return open_index(name, tmp_path)

    def expected(self, scores: np.ndarray, k: int) -> list[int]:
        rows = np.flatnonzero(scores > -np.inf)
        return rows[np.argsort(-scores[rows], kind="stable")][:k].tolist()

    def test_the_best_rows_come_in_order_with_their_scores(self, index, queries, vectors, biases):
        for query, found in zip(queries, index.search(queries, [Wish(5)] * 4), strict=True):
            scores = vectors @ query + biases
            assert found.rows.tolist() == self.expected(scores, 5)
            np.testing.assert_allclose(found.scores, scores[found.rows], atol=1e-5)

    def test_of_equals_the_lower_row_comes_first(self, index, queries, vectors, biases):
        (found,) = index.search(queries[:1], [Wish(N_ROWS)])
        rows = found.rows.tolist()
        assert rows.index(7) == rows.index(3) + 1
        assert 0 not in rows and 11 not in rows and len(rows) == N_ROWS - 2

    def test_only_what_is_allowed_is_found(self, index, queries, vectors, biases):
        allowed = np.arange(N_ROWS) % 3 == 0
        wish = Wish(N_ROWS, forbidden=np.array([3, 9]), allowed=allowed)
        (found,) = index.search(queries[:1], [wish])
        scores = np.where(allowed, vectors @ queries[0] + biases, -np.inf)
        scores[[3, 9]] = -np.inf
        assert found.rows.tolist() == self.expected(scores, N_ROWS)

    def test_additions_change_scores_and_order(self, index, queries, vectors, biases):
        additions = [(np.array([5, 6]), 3.0), (np.array([6, 8]), np.array([1.0, -9.0], np.float32))]
        (found,) = index.search(queries[:1], [Wish(10, additions)])
        scores = vectors @ queries[0] + biases
        scores[[5, 6]] += 3
        scores[[6, 8]] += [1, -9]
        assert found.rows.tolist() == self.expected(scores, 10)
        np.testing.assert_allclose(found.scores, scores[found.rows], atol=1e-5)

    def test_scores_are_remixed_after_additions(self, index, queries, vectors, biases):
        wish = Wish(3, [(np.array([5]), 100.0)], remix=lambda scores: -np.abs(scores - 100))
        (found,) = index.search(queries[:1], [wish])
        assert found.rows[0] == 5

    def test_a_batch_answers_each_query_as_if_it_were_alone(self, index, queries):
        wishes = [Wish(3), Wish(8, forbidden=np.array([1])), Wish(1), Wish(40)]
        together = index.search(queries, wishes)
        for number, found in enumerate(together):
            (alone,) = index.search(queries[number : number + 1], wishes[number : number + 1])
            assert found.rows.tolist() == alone.rows.tolist()
            np.testing.assert_allclose(found.scores, alone.scores, atol=1e-5)

    def test_another_order_of_the_catalogue_finds_the_same_items(
        self, name, tmp_path, queries, vectors, biases, index
    ):
        order = np.concatenate([[0], 1 + np.random.default_rng(3).permutation(N_ROWS - 1)])
        write(tmp_path / "permuted", vectors[order], biases[order])
        permuted = open_index(name, tmp_path / "permuted")
        # Without the rows that tie, whose order is that of the rows.
        wish = Wish(6, forbidden=np.flatnonzero(np.isin(np.arange(N_ROWS), [3, 7])))
        other = Wish(6, forbidden=np.flatnonzero(np.isin(order, [3, 7])))
        for one, two in zip(
            index.search(queries, [wish] * 4), permuted.search(queries, [other] * 4), strict=True
        ):
            assert one.rows.tolist() == order[two.rows].tolist()


def test_an_index_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"wants the index 'magic'; this version knows exact"):
        open_index("magic", tmp_path)
