"""What every index of candidates has to find, held against plain NumPy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from m2trec_merlin.config import ServingConfig
from m2trec_merlin.contract.version import BIASES, CANDIDATE_VECTORS
from m2trec_merlin.errors import ArtifactError
from m2trec_merlin.scores import Lift
from m2trec_merlin.search import scored
from m2trec_merlin.search.candidates import Asked, Base, Candidates, Wish
from m2trec_merlin.search.indexes import INDEXES, open_index

N_ROWS, WIDTH = 41, 6


def write(name: str, folder: Path, vectors: np.ndarray, biases: np.ndarray) -> Candidates:
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / CANDIDATE_VECTORS, vectors)
    np.save(folder / BIASES, biases)
    asked = np.random.default_rng(9).normal(size=(40, vectors.shape[1])).astype(np.float32)
    INDEXES[name].write(folder, Base(biases), Asked(asked, np.zeros(40, np.float32)))
    return open_index(name, folder)


@pytest.mark.parametrize("name", INDEXES)
class TestContract:
    @pytest.fixture(autouse=True, params=[64, 1], ids=["short lists", "lists of all"])
    def one_in(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(scored, "_ONE_IN", request.param)

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
        return write(name, tmp_path, vectors, biases)

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

    @pytest.mark.parametrize("lift", [0.0, 3.0])
    def test_only_named_rows_are_found_as_they_would_be_among_all(
        self, index, queries, vectors, biases, lift
    ):
        only, forbidden = np.array([30, 3, 11, 7, 5, 0]), np.array([5, 6])
        rest = {"forbidden": forbidden, "additions": [(np.array([7, 8]), 2.0)]}
        lifts = np.linspace(0, lift, N_ROWS, dtype=np.float32)
        wish = Wish(4, only=only, lift=Lift(np.float32(0), np.arange(N_ROWS), lifts), **rest)
        listed, plain = index.search(queries[:2], [wish, Wish(5)])
        scores = vectors @ queries[0] + biases + lifts
        scores[7] += 2
        expected = [row for row in self.expected(scores, N_ROWS) if row in (3, 7, 30)]
        assert listed.rows.tolist() == expected
        np.testing.assert_allclose(listed.scores, scores[expected], atol=1e-5)
        assert plain.rows.tolist() == self.expected(vectors @ queries[1] + biases, 5)

    @pytest.mark.parametrize("filtered", [False, True])
    def test_changed_candidates_are_those_of_all_rows_together(
        self, name, tmp_path, index, queries, vectors, biases, filtered
    ):
        more = np.random.default_rng(3).normal(size=(9, WIDTH)).astype(np.float32)
        more[4] = vectors[3]  # a tie between the old and the new
        others = np.concatenate([biases, np.zeros(9, np.float32)])
        others[[5, 20]], others[N_ROWS + 4] = -np.inf, biases[3]
        together = write(name, tmp_path / "whole", np.concatenate([vectors, more]), others)
        allowed = np.arange(N_ROWS + 9) % 3 != 1 if filtered else None
        additions = [(np.array([2, N_ROWS + 1]), 2.0)]
        wishes = [
            Wish(k, np.array([1, N_ROWS + 2]), allowed, additions=additions) for k in (1, 5, 20, N_ROWS + 9)
        ]
        before = index.search(queries, [Wish(N_ROWS)] * 4)
        found = index.changed(Base(others), more).search(queries, wishes)
        for one, other in zip(found, together.search(queries, wishes), strict=True):
            assert one.rows.tolist() == other.rows.tolist()
            assert one.scores.tobytes() == other.scores.tobytes()
        for one, other in zip(before, index.search(queries, [Wish(N_ROWS)] * 4), strict=True):
            assert one.rows.tolist() == other.rows.tolist()

    def test_only_what_is_allowed_is_found(self, index, queries, vectors, biases):
        allowed = np.arange(N_ROWS) % 3 == 0
        wish = Wish(N_ROWS, forbidden=np.array([3, 9]), allowed=allowed)
        (found,) = index.search(queries[:1], [wish])
        scores = np.where(allowed, vectors @ queries[0] + biases, -np.inf)
        scores[[3, 9]] = -np.inf
        assert found.rows.tolist() == self.expected(scores, N_ROWS)

    def test_additions_change_scores_and_order(self, index, queries, vectors, biases):
        additions = [(np.array([5, 6]), 3.0), (np.array([6, 8]), np.array([1.0, -9.0], np.float32))]
        (found,) = index.search(queries[:1], [Wish(10, additions=additions)])
        scores = vectors @ queries[0] + biases
        scores[[5, 6]] += 3
        scores[[6, 8]] += [1, -9]
        assert found.rows.tolist() == self.expected(scores, 10)
        np.testing.assert_allclose(found.scores, scores[found.rows], atol=1e-5)

    def test_what_a_session_adds_is_added_exactly(self, index, queries, vectors, biases):
        generator = np.random.default_rng(8)
        newness, changes = generator.normal(size=(2, N_ROWS)).astype(np.float32) * 4
        rows = generator.permutation(N_ROWS)[:30]
        lift = Lift(np.float32(-0.7), rows, changes[:30])
        wish = Wish(10, additions=[(np.array([5]), 1.0)], lift=lift)
        (found,) = index.changed(Base(biases + 1, newness), vectors[:0]).search(queries[:1], [wish])
        scores = vectors @ queries[0] + biases + 1 - np.float32(0.7) * newness
        scores[rows] += changes[:30]
        scores[5] += 1
        assert found.rows.tolist() == self.expected(scores, 10)
        np.testing.assert_allclose(found.scores, scores[found.rows], atol=1e-5)

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
        permuted = write(name, tmp_path / "permuted", vectors[order], biases[order])
        # Without the rows that tie, whose order is that of the rows.
        wish = Wish(6, forbidden=np.flatnonzero(np.isin(np.arange(N_ROWS), [3, 7])))
        other = Wish(6, forbidden=np.flatnonzero(np.isin(order, [3, 7])))
        for one, two in zip(
            index.search(queries, [wish] * 4), permuted.search(queries, [other] * 4), strict=True
        ):
            assert one.rows.tolist() == order[two.rows].tolist()


@pytest.mark.parametrize("name", INDEXES)
class TestContractAmongMany:
    """So many rows that an index may look at some of them only."""

    N_ROWS, WIDTH, QUERIES = 20_000, 32, 24

    @pytest.fixture(scope="class")
    def vectors(self) -> np.ndarray:
        generator = np.random.default_rng(4)
        # Rows of very different lengths, in groups of near twins.
        groups = generator.normal(size=(400, self.WIDTH)) * np.exp(generator.normal(size=(400, 1)))
        noise = generator.normal(size=(self.N_ROWS, self.WIDTH)) * 0.2
        vectors = (np.repeat(groups, 50, axis=0) + noise).astype(np.float32)
        vectors[5] = 0
        return vectors

    @pytest.fixture(scope="class")
    def biases(self) -> np.ndarray:
        biases = np.random.default_rng(5).normal(size=self.N_ROWS).astype(np.float32)
        biases[0] = -np.inf
        return biases

    @pytest.fixture(scope="class")
    def queries(self) -> np.ndarray:
        return np.random.default_rng(6).normal(size=(self.QUERIES, self.WIDTH)).astype(np.float32)

    @pytest.fixture(scope="class")
    def exact(self, queries: np.ndarray, vectors: np.ndarray, biases: np.ndarray) -> np.ndarray:
        return queries @ vectors.T + biases

    @pytest.fixture
    def index(self, name: str, tmp_path: Path, vectors: np.ndarray, biases: np.ndarray) -> Candidates:
        return write(name, tmp_path, vectors, biases)

    def recall(self, scores: np.ndarray, rows: np.ndarray) -> float:
        best = np.argsort(-scores, kind="stable")[: len(rows)]
        return len(np.intersect1d(best, rows)) / len(rows)

    @pytest.mark.parametrize("k", [1, 20, 700])
    def test_nearly_all_of_the_best_are_found_and_scored_exactly(self, index, queries, exact, k):
        found = index.search(queries, [Wish(k)] * len(queries))
        assert [len(each.rows) for each in found] == [k] * len(queries)
        for scores, each in zip(exact, found, strict=True):
            np.testing.assert_allclose(each.scores, scores[each.rows], atol=1e-4)
            assert (np.diff(each.scores) <= 0).all() and len(np.unique(each.rows)) == k
        assert np.mean([self.recall(s, f.rows) for s, f in zip(exact, found, strict=True)]) >= 0.99

    def test_what_is_lifted_is_found_wherever_it_stood(self, index, queries, exact):
        far = np.argsort(exact[0])[100:130]
        changes = exact[0].max(initial=-np.inf, where=np.isfinite(exact[0])) - exact[0][far] + 1
        (found,) = index.search(queries[:1], [Wish(20, lift=Lift(np.float32(0), far, changes))])
        assert np.isin(found.rows, far).all()
        scores = exact[0].copy()
        scores[far] += changes
        np.testing.assert_allclose(found.scores, scores[found.rows], rtol=1e-5)

    @pytest.mark.parametrize("spread", [0.01, 3.0, 100.0])
    def test_of_thousands_that_are_lifted_the_best_are_found(
        self, index, queries, biases, vectors, exact, spread, monkeypatch
    ):
        """Little, as much as scores differ, and so much that it alone decides."""
        monkeypatch.setattr(scored, "_ONE_IN", 1)
        generator = np.random.default_rng(7)
        index = index.changed(Base(biases, np.zeros(self.N_ROWS, np.float32)), vectors[:0])
        recalls = []
        for number, query in enumerate(queries):
            rows = 1 + generator.permutation(self.N_ROWS - 1)[:6000]
            changes = generator.exponential(spread, 6000).astype(np.float32)
            changes[-5:] *= -1
            wish = Wish(20, np.array([rows[0]]), lift=Lift(np.float32(0), rows, changes))
            (found,) = index.search(query[None], [wish])
            scores = exact[number].copy()
            scores[rows] += changes
            scores[rows[0]] = -np.inf
            np.testing.assert_allclose(found.scores, scores[found.rows], atol=1e-3)
            recalls.append(self.recall(scores, found.rows))
        assert np.mean(recalls) >= 0.99

    def test_what_is_pulled_down_makes_room_for_the_next(self, index, queries, exact):
        best = np.argsort(-exact[0])
        lift = Lift(np.float32(0), best[:30], np.full(30, -1000, np.float32))
        (found,) = index.search(queries[:1], [Wish(20, lift=lift)])
        scores = exact[0].copy()
        scores[best[:30]] -= 1000
        assert self.recall(scores, found.rows) >= 0.95

    @pytest.mark.parametrize("moved", [10, 10_000])
    def test_on_another_base_the_best_are_others(self, index, queries, vectors, biases, exact, moved):
        """Some rows have come up from below, some are no candidates any more, one has become one."""
        worst, best = np.argsort(exact[0])[1 : 1 + moved], np.argsort(-exact[0])[:5]
        others, newness = biases.copy(), np.zeros(self.N_ROWS, np.float32)
        others[worst] += np.ptp(exact[0][1:])
        others[best] = -np.inf
        newness[worst[:3]] = 8
        on = index.changed(Base(others, newness), vectors[:0])
        lift = Lift(np.float32(0.5), worst[:1], np.ones(1, np.float32))
        (found,) = on.search(queries[:1], [Wish(20, lift=lift)])
        scores = vectors @ queries[0] + others + np.float32(0.5) * newness
        scores[worst[0]] += 1
        assert self.recall(scores, found.rows) >= 0.95
        np.testing.assert_allclose(found.scores, scores[found.rows], rtol=1e-4)

    def test_what_is_allowed_is_found_however_few_and_far_it_is(self, index, queries, exact):
        allowed = np.zeros(self.N_ROWS, bool)
        allowed[np.argsort(exact[0])[:30]] = True  # the worst of all, and NO_ITEM
        (found,) = index.search(queries[:1], [Wish(20, allowed=allowed)])
        assert len(found.rows) == 20 and allowed[found.rows].all()
        assert self.recall(np.where(allowed, exact[0], -np.inf), found.rows) == 1

    @pytest.mark.parametrize("number", [60, 3000])
    def test_so_many_rows_are_found_however_many_of_the_best_are_forbidden(
        self, index, queries, exact, number
    ):
        forbidden = np.argsort(-exact[0])[:number]
        (found,) = index.search(queries[:1], [Wish(20, forbidden=forbidden)])
        assert len(found.rows) == 20 and not np.isin(found.rows, forbidden).any()
        scores = exact[0].copy()
        scores[forbidden] = -np.inf
        assert self.recall(scores, found.rows) >= 0.95

    @pytest.mark.parametrize("number", [3, 3000])
    def test_a_row_that_something_is_added_to_is_found_wherever_it_stands(
        self, index, queries, exact, number
    ):
        worst = np.argsort(exact[0])[1 : 1 + number]
        (found,) = index.search(queries[:1], [Wish(3, additions=[(worst, 1000.0)])])
        scores = exact[0].copy()
        scores[worst] += 1000
        assert found.rows.tolist() == np.argsort(-scores, kind="stable")[:3].tolist()
        np.testing.assert_allclose(found.scores, scores[found.rows], rtol=1e-5)

    def test_a_row_from_which_something_is_taken_makes_room_for_the_next(self, index, queries, exact):
        best = np.argsort(-exact[0])
        (found,) = index.search(
            queries[:1], [Wish(20, additions=[(best[:200], np.full(200, -1000, np.float32))])]
        )
        assert (
            self.recall(np.where(np.isin(np.arange(self.N_ROWS), best[:200]), -np.inf, exact[0]), found.rows)
            >= 0.95
        )

    def test_a_query_is_answered_alike_whatever_is_asked_with_it(self, index, queries):
        allowed = np.arange(self.N_ROWS) % 2 == 0
        wishes = [Wish(20), Wish(500), Wish(20, allowed=allowed), Wish(20, additions=[(np.array([7]), 9.0)])]
        for number, found in enumerate(index.search(queries[:4], wishes)):
            (alone,) = index.search(queries[number : number + 1], wishes[number : number + 1])
            assert found.rows.tolist() == alone.rows.tolist()
            np.testing.assert_array_equal(found.scores, alone.scores)


def test_the_configuration_knows_the_indexes_by_the_table() -> None:
    assert [ServingConfig(index=name).index for name in ("auto", *INDEXES)] == ["auto", *INDEXES]
    with pytest.raises(ValidationError, match="'auto', 'ivf'"):
        ServingConfig(index="magic")


def test_an_index_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"wants the index 'magic'; this version knows ivf, quantised"):
        open_index("magic", tmp_path)
