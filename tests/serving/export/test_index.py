from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from m2trec_merlin.contract.version import BIASES, CANDIDATE_VECTORS
from m2trec_merlin.errors import ArtifactError, MissingDependencyError
from m2trec_merlin.neighbours.mixture import Lifts
from m2trec_merlin.neighbours.pasts import ItemPasts
from m2trec_merlin.neighbours.weights import Weights
from m2trec_merlin.search import ivf
from m2trec_merlin.search.candidates import Asked, Base, Found, Wish
from m2trec_merlin.search.indexes import INDEXES
from m2trec_merlin.serving.export import index
from m2trec_merlin.sessions import Sessions
from tests.neighbours.test_mixture import FixedView
from tests.told import Told
from tests.worlds.shop import Shop, offline_scores


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    generator = np.random.default_rng(0)
    np.save(tmp_path / CANDIDATE_VECTORS, generator.normal(size=(500, 8)).astype(np.float32))
    np.save(tmp_path / BIASES, np.append(-np.inf, np.zeros(499)).astype(np.float32))
    return tmp_path


QUERIES = np.random.default_rng(1).normal(size=(40, 8)).astype(np.float32)
PASTS = ItemPasts.known(np.zeros(500, np.int64))
SAMPLE = index.IndexSample(QUERIES, [np.array([1])] * 40, None, 40)


class Forgetful:
    """Finds the second best and what follows."""

    meaning = "all but the best"

    def is_worth_trying(self, n_rows: int, n_added: int) -> bool:
        return True

    def __init__(self, off: float = 0.0) -> None:
        self.off = off

    def write(self, folder: Path, base: Base, asked: Asked) -> None:
        INDEXES["exact"].write(folder, base, asked)
        (folder / "forgotten.npy").touch()

    def open(self, folder: Path) -> Forgetful:
        self.exact = INDEXES["exact"].open(folder)
        return self

    def changed(self, base: Base, vectors: np.ndarray) -> Forgetful:
        self.exact = self.exact.changed(base, vectors)
        return self

    def search(self, queries: np.ndarray, wishes: list[Wish]) -> list[Found]:
        found = self.exact.search(queries, [replace(wish, k=wish.k + 1) for wish in wishes])
        return [Found(each.rows[1:], each.scores[1:] + self.off) for each in found]


def test_what_an_index_misses_is_measured(folder: Path) -> None:
    forgetful = Forgetful()
    forgetful.write(folder, Base(np.load(folder / BIASES)), SAMPLE.asked())
    assert index.measure_recall(forgetful.open(folder), folder, SAMPLE) == pytest.approx(19 / 20)
    for name in INDEXES:
        assert index.write_index(name, folder, SAMPLE, Told()) == (name, 1.0)


def test_it_is_measured_as_it_is_served_with_neighbours(folder: Path) -> None:
    """The best of all by its lift: whoever misses it misses 1 of 20, whoever forgets the lift refuses."""
    view = FixedView([-np.inf, *[0.0] * 498, 1.0])
    lifts = Lifts({"by_id": view}, PASTS, Weights(by_id=10))
    sample = index.IndexSample(QUERIES, SAMPLE.sessions, lifts, 40)
    forgetful = Forgetful()
    forgetful.write(folder, Base(np.load(folder / BIASES)), SAMPLE.asked())
    assert index.measure_recall(forgetful.open(folder), folder, sample) == pytest.approx(19 / 20)
    assert sample.base(np.zeros(500)).biases.argmax() == 499


def test_an_index_that_misses_too_much_is_not_chosen_and_leaves_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Told()
    monkeypatch.setitem(INDEXES, "quantised", Forgetful())
    assert index.write_index("auto", folder, SAMPLE, told) == ("exact", 1.0)
    assert told.lines == [
        "index quantised finds only 95.00% of the best 20 items",
        "index exact: finds 100.00% of the best 20 items",
    ]
    assert not (folder / "forgotten.npy").exists()


def test_lists_are_tried_first_for_many_items_of_which_sessions_lift_few(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ivf, "_MANY", 500)
    assert index.write_index("auto", folder, SAMPLE, Told()) == ("ivf", 1.0)
    half = Lifts({"by_id": FixedView([0.0] * 500)}, PASTS, Weights(by_id=1))
    mixed = replace(SAMPLE, neighbours=half)
    assert index.write_index("auto", folder, mixed, Told()) == ("quantised", 1.0)
    monkeypatch.setattr(ivf, "_ONE_IN", 2)
    assert index.write_index("auto", folder, mixed, Told()) == ("ivf", 1.0)
    monkeypatch.setattr(ivf, "_MANY", 501)
    assert index.write_index("auto", folder, SAMPLE, Told()) == ("quantised", 1.0)


def test_auto_does_without_an_index_whose_library_is_missing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Told()
    monkeypatch.setattr(ivf, "_MANY", 500)
    monkeypatch.setitem(sys.modules, "faiss", None)
    assert index.write_index("auto", folder, SAMPLE, told) == ("quantised", 1.0)
    assert told.lines[0].startswith(
        "index ivf is not tried: serving.index: ivf needs FAISS, which is not installed"
    )
    with pytest.raises(MissingDependencyError, match="needs FAISS"):
        index.write_index("ivf", folder, SAMPLE, told)


def test_an_index_with_other_scores_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(INDEXES, "quantised", Forgetful(off=0.1))
    with pytest.raises(ArtifactError, match=r"scores items otherwise than the model, by up to 0\.1"):
        index.write_index("quantised", folder, SAMPLE, Told())


def test_it_is_measured_with_queries_as_the_server_makes_them(shop: Shop) -> None:
    sessions = Sessions.from_lists([[1, 2, 3, 2], [], [5]])
    vectors = np.load(shop.predict / "item_vectors.npy")
    sample = index.draw_sample(shop.model, vectors, sessions, None)
    queries = sample.queries
    assert [rows.tolist() for rows in sample.sessions[:2]] == [[1, 2, 3, 2], [5]]
    others = [rows.tolist() for rows in sample.sessions[2:]]
    assert sample.n_usual == 2 and [len(rows) for rows in others] == [4]
    assert all(0 < row < len(vectors) for rows in others for row in rows)
    scores = queries @ np.load(shop.predict / CANDIDATE_VECTORS).T + np.load(shop.predict / BIASES)
    assert len(queries) == 3
    for found, rows in zip(scores, [[1, 2, 3, 2], [5], *others], strict=True):
        expected, _ = offline_scores(shop, [str(shop.catalogue.item_ids[row]) for row in rows])
        repeats = np.load(shop.predict / "repeat_biases.npy")
        for row in set(rows):
            expected[row] -= repeats[rows[::-1].index(row)]
        np.testing.assert_allclose(found, expected, atol=1e-4)
