"""What the quantised index leaves out, and that answers do not miss it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from m2trec_merlin.contract.version import BIASES, CANDIDATE_VECTORS
from m2trec_merlin.search.candidates import Asked, Base, Wish
from m2trec_merlin.search.quantised import QuantisedIndex, main_directions

WIDTH, N_ROWS = 64, 3_000
NOTHING = Asked(np.zeros((0, WIDTH), np.float32), np.zeros(0, np.float32))


def flat(held: int, rest: float = 0.0) -> np.ndarray:
    """Vectors that lie along `held` directions, but for a share of their squares."""
    random = np.random.default_rng(0)
    axes = np.linalg.qr(random.normal(size=(WIDTH, WIDTH)))[0]
    sizes = np.where(np.arange(WIDTH) < held, np.sqrt((1 - rest) / held), np.sqrt(rest / (WIDTH - held)))
    return (random.normal(size=(N_ROWS, WIDTH)) * sizes @ axes).astype(np.float32)


def test_directions_are_orthogonal_and_hold_nearly_all_squares() -> None:
    vectors = flat(20, rest=0.03)
    directions = main_directions(vectors)
    np.testing.assert_allclose(directions.T @ directions, np.eye(32), atol=1e-5)  # 20, up to a multiple of 16
    assert 0.95 < ((vectors @ directions) ** 2).sum() / (vectors**2).sum() < 1


def test_vectors_that_point_everywhere_keep_their_width() -> None:
    assert main_directions(flat(WIDTH - 1)).shape == (WIDTH, WIDTH)
    assert main_directions(flat(5)[:, :10]).shape == (10, 10), "narrower than a step"
    assert main_directions(np.zeros((3, WIDTH), np.float32)).shape == (WIDTH, 16)


def test_the_best_are_found_and_scored_exactly_from_half_of_the_width(tmp_path: Path) -> None:
    vectors = flat(20, rest=0.03)
    biases = np.random.default_rng(1).normal(size=N_ROWS).astype(np.float32)
    biases[0] = -np.inf
    np.save(tmp_path / CANDIDATE_VECTORS, vectors)
    np.save(tmp_path / BIASES, biases)
    QuantisedIndex().write(tmp_path, Base(biases), NOTHING)
    assert np.load(tmp_path / "quantised_vectors.npy").shape == (32, N_ROWS)
    queries = 4 * np.random.default_rng(2).normal(size=(8, WIDTH)).astype(np.float32)
    for query, found in zip(
        queries, QuantisedIndex().open(tmp_path).search(queries, [Wish(10)] * 8), strict=True
    ):
        scores = vectors @ query + biases
        assert found.rows.tolist() == np.argsort(-scores, kind="stable")[:10].tolist()
        np.testing.assert_allclose(found.scores, scores[found.rows], rtol=1e-4)
