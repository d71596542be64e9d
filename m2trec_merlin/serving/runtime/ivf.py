"""Candidates near a query in a few of many lists (IVF), for catalogues of which scoring all takes too long.

FAISS finds the points nearest to another one. The largest product with a bias becomes that: with

    point(row) = [vector, bias, sqrt(c - |vector|^2 - bias^2)]        of length sqrt(c), whatever the row
    point(query) = [query, 1, 0]
    |point(query) - point(row)|^2 = |query|^2 + 1 + c - 2 (query . vector + bias)

the nearest row is the one with the highest score. (Lists by inner product miss most of the best: long
vectors gather in few of them.)

Shape legend: B queries, D model width, G catalogue rows, n points.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Protocol

import numpy as np

from m2trec_merlin.errors import MissingDependencyError
from m2trec_merlin.serving.contract.version import BIASES, CANDIDATE_VECTORS
from m2trec_merlin.serving.runtime.candidates import Candidates
from m2trec_merlin.serving.runtime.quantised import QuantisedIndex, rough
from m2trec_merlin.serving.runtime.scored import Ranking, ScoredCandidates

_LISTS = "lists.faiss"

#: Rows from which on lists are worth their place.
_MANY = 300_000
#: Lists are so many times the root of the points, with so many points each at least.
_LISTS_PER_ROOT, _POINTS_PER_LIST = 4, 40
#: So many of them are looked through for a query at least, and one of so many.
_AT_LEAST, _ONE_OF = 128, 12
#: Points a list from which their centres are learned, and how often these are moved.
_TRAINED_ON, _ROUNDS, _SEED = 64, 10, 1
#: Rows that are asked of the lists at most; twice as many, since some may be no candidates any more.
_MOST, _TIMES = 256, 2
#: Queries that FAISS answers one by one; it compares larger batches by a product that rounds otherwise.
_AT_ONCE = 16


class IvfIndex:
    """Implements `Index`: some of the lists are looked through, the best found there are scored exactly.

    Where the scores of all rows are needed, by filters or neighbours say, the 8-bit index gives them.
    """

    meaning = f"in some of many lists, by FAISS; for {_MANY:,} items or more, without a mixture"

    def __init__(self) -> None:
        self._all = QuantisedIndex()

    def is_worth_trying(self, n_rows: int, has_lifts: bool) -> bool:
        """See `Index.is_worth_trying`."""
        return n_rows >= _MANY and not has_lifts

    def write(self, folder: Path) -> None:
        """See `Index.write`.

        Raises:
            MissingDependencyError: FAISS is not installed.
        """
        faiss = _faiss()
        self._all.write(folder)
        vectors_GD, biases_G = np.load(folder / CANDIDATE_VECTORS), np.load(folder / BIASES)
        rows = np.flatnonzero(biases_G > -np.inf)
        points = _points(vectors_GD[rows], biases_G[rows])
        root = int(_LISTS_PER_ROOT * np.sqrt(len(points)))
        n_lists = max(1, min(root, len(points) // _POINTS_PER_LIST))
        nearest = faiss.IndexFlatL2(points.shape[1])
        lists = faiss.IndexIVFFlat(nearest, points.shape[1], n_lists)
        lists.cp.seed, lists.cp.niter = _SEED, _ROUNDS
        lists.cp.max_points_per_centroid = _TRAINED_ON
        lists.train(points)
        lists.add_with_ids(points, rows)
        lists.nprobe = max(_AT_LEAST, n_lists // _ONE_OF)
        faiss.write_index(lists, str(folder / _LISTS))

    def open(self, folder: Path) -> Candidates:
        """See `Index.open`.

        Raises:
            MissingDependencyError: FAISS is not installed.
        """
        faiss = _faiss()
        # One session is too little work to share among threads; Triton runs instances side by side instead.
        faiss.omp_set_num_threads(1)
        # Mapped, so that instances share the lists; by IO_FLAG_MMAP a search takes six times as long.
        lists = faiss.read_index(str(folder / _LISTS), faiss.IO_FLAG_MMAP_IFC)
        return ScoredCandidates.open(folder, IvfRanking(lists, self._all.ranking(folder)), rough)


class Lists(Protocol):
    """What is asked of FAISS."""

    def search(self, points: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the squared distances and rows of the `k` nearest points, both [B, k]; -1 for none."""


class IvfRanking:
    """Implements `Ranking`.

    Args:
        lists: of points, by row.
        everything: ranks the rows where the lists cannot.
    """

    def __init__(self, lists: Lists, everything: Ranking) -> None:
        self._lists, self._everything = lists, everything

    def rows(
        self, queries: np.ndarray, biases: np.ndarray, lifts: Sequence[np.ndarray] | None, count: int
    ) -> np.ndarray:
        """See `Ranking.rows`."""
        if lifts is not None or count > _MOST:
            return self._everything.rows(queries, biases, lifts, count)
        points = np.pad(queries, ((0, 0), (0, 2)))
        points[:, -2] = 1
        blocks = (points[start : start + _AT_ONCE] for start in range(0, len(points), _AT_ONCE))
        near = np.concatenate([self._lists.search(block, _TIMES * count)[1] for block in blocks])
        # Lists may hold too few, which FAISS tells by rows of -1.
        there = (near >= 0) & (biases[near] > -np.inf)
        first = np.argsort(~there, axis=1, kind="stable")[:, :count]
        found = np.take_along_axis(near, first, axis=1)
        if len(short := np.flatnonzero(there.sum(axis=1) < count)):
            found[short] = self._everything.rows(queries[short], biases, None, count)
        return found

    def scores(self, queries: np.ndarray, biases: np.ndarray) -> np.ndarray:
        """See `Ranking.scores`."""
        return self._everything.scores(queries, biases)


def _points(vectors: np.ndarray, biases: np.ndarray) -> np.ndarray:
    """Return points of equal length, float32 [n, D + 2]."""
    points = np.concatenate([vectors, biases[:, None], np.zeros((len(biases), 1), np.float32)], axis=1)
    squares = np.square(points, dtype=np.float64).sum(axis=1)
    points[:, -1] = np.sqrt(squares.max(initial=0.0) - squares)
    return points


def _faiss() -> ModuleType:
    try:
        import faiss
    except ImportError:
        raise MissingDependencyError(
            "serving.index: ivf needs FAISS, which is not installed: pip install 'm2trec-merlin[serve]'"
        ) from None
    module: ModuleType = faiss
    return module
