"""The IVF index, which searches a few of many lists: for catalogues too large to score all candidates.

FAISS finds the points nearest to another point. A search for the highest score becomes one for the nearest
point: with

    point(row) = [vector, bias, newness, the rest up to length sqrt(c)]
    point(query) = [query, 1, novelty, 0]
    |point(query) - point(row)|^2 = |point(query)|^2 + c - 2 (query . vector + bias + novelty newness)

the nearest row is the one with the highest score. (Lists by inner product miss most of the best rows, since
long vectors gather in few lists.)

Shape legend: B queries, D model width, G catalogue rows, n points, S searches.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Protocol

import numpy as np

from m2trec_merlin.contract.version import CANDIDATE_VECTORS
from m2trec_merlin.errors import MissingDependencyError
from m2trec_merlin.search.candidates import Asked, Base, Candidates
from m2trec_merlin.search.quantised import QuantisedIndex, rough
from m2trec_merlin.search.scored import Ranking, ScoredCandidates

_LISTS, _BASE = "lists.faiss", "lists_base.npy"

#: `auto` chooses lists from this number of rows on, if half of the sessions lift at most one row in _ONE_IN.
_MANY, _ONE_IN = 50_000, 64
#: Number of lists as a multiple of the root of the number of points, and the least mean points per list.
_LISTS_PER_ROOT, _POINTS_PER_LIST = 4, 40
#: Maximum points per list for learning the centres of lists; rounds and seed of k-means.
_TRAINED_ON, _ROUNDS, _SEED = 64, 10, 1
#: A search looks through at least _AT_LEAST lists, and through more if needed to find the share _NEARLY_ALL
#: of the best _TOP rows of a sample of queries; their number is determined to an eighth.
_AT_LEAST, _EIGHTHS, _TOP, _NEARLY_ALL = 16, 8, 20, 0.995
#: Most rows that the lists are asked for. Sessions that exclude many rows need more, but the next best rows
#: lie farther away than the lists searched.
_MOST = 200
#: Most rows whose base may differ from that in the lists; they are added to every answer.
_MOST_MOVED = 4096
#: Batch size up to which FAISS answers queries one by one; above, it uses a product that rounds differently.
_AT_ONCE = 16


class IvfIndex:
    """Implements `Index`: searches some of the lists, and scores the best rows found there exactly.

    If the scores of all rows are needed, for instance by filters, the 8-bit index computes them.
    """

    meaning = f"in some of many lists, by FAISS; for {_MANY:,} items or more, of which sessions lift few"
    packages: tuple[str, ...] = ("faiss-cpu",)

    def __init__(self) -> None:
        self._all = QuantisedIndex()

    def is_worth_trying(self, n_rows: int, n_added: int) -> bool:
        """See `Index.is_worth_trying`."""
        return n_rows >= _MANY and n_added <= n_rows // _ONE_IN

    def write(self, folder: Path, base: Base, asked: Asked) -> None:
        """See `Index.write`.

        Raises:
            MissingDependencyError: FAISS is not installed.
        """
        faiss = _faiss()
        self._all.write(folder, base, asked)
        added_2G = _in_two(base, len(base.biases))
        np.save(folder / _BASE, added_2G)
        rows = np.flatnonzero(base.biases > -np.inf)
        points = _points(np.load(folder / CANDIDATE_VECTORS)[rows], added_2G[:, rows])
        root = int(_LISTS_PER_ROOT * np.sqrt(len(points)))
        n_lists = max(1, min(root, len(points) // _POINTS_PER_LIST))
        nearest = faiss.IndexFlatL2(points.shape[1])
        lists = faiss.IndexIVFFlat(nearest, points.shape[1], n_lists)
        lists.cp.seed, lists.cp.niter = _SEED, _ROUNDS
        lists.cp.max_points_per_centroid = _TRAINED_ON
        lists.train(points)
        lists.add_with_ids(points, rows)
        lists.nprobe = enough_lists(lists, n_lists, points, _points_of(asked))
        faiss.write_index(lists, str(folder / _LISTS))

    def open(self, folder: Path) -> Candidates:
        """See `Index.open`.

        Raises:
            MissingDependencyError: FAISS is not installed.
        """
        faiss = _faiss()
        # One session is too little work for several threads; Triton runs instances in parallel instead.
        faiss.omp_set_num_threads(1)
        # Memory-mapped: instances share the lists. With IO_FLAG_MMAP a search takes six times as long.
        lists = faiss.read_index(str(folder / _LISTS), faiss.IO_FLAG_MMAP_IFC)
        ranking = IvfRanking(lists, np.load(folder / _BASE), self._all.ranking(folder))
        return ScoredCandidates.open(folder, ranking, rough)


class FaissIndex(Protocol):
    """The interface of FAISS indexes that is used here.

    Attributes:
        nprobe: number of lists that a search looks through.
    """

    nprobe: int

    def search(self, points: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the squared distances and rows of the `k` nearest points, both [B, k]; -1 for none."""


class IvfRanking:
    """Implements `Ranking`.

    Args:
        lists: FAISS index of the points, by row.
        written: biases and newness in the points, float32 [2, G].
        everything: the ranking that computes the products of all rows.
    """

    def __init__(self, lists: FaissIndex, written: np.ndarray, everything: Ranking) -> None:
        self._lists, self._written_2G, self._everything = lists, written, everything

    def products(self, queries: np.ndarray) -> np.ndarray:
        """See `Ranking.products`."""
        return self._everything.products(queries)

    def on(self, base: Base) -> IvfShortlist | None:
        """See `Ranking.on`."""
        now_2G = _in_two(base, self._written_2G.shape[1])
        is_other = (now_2G != self._written_2G).any(axis=0)
        moved = np.flatnonzero(is_other & (now_2G[0] > -np.inf))
        if len(moved) > _MOST_MOVED:
            return None
        is_listed = self._written_2G[0] > -np.inf
        return IvfShortlist(self._lists, moved, is_other, int(np.count_nonzero(is_other & is_listed)))


class IvfShortlist:
    """Implements `Shortlist`.

    Args:
        lists: FAISS index of the points, by row.
        moved: candidates whose points are missing or outdated, int64 [m]; added to every answer.
        is_other: which rows have missing or outdated points, bool [G].
        n_void: number of outdated points in the lists.
    """

    def __init__(self, lists: FaissIndex, moved: np.ndarray, is_other: np.ndarray, n_void: int) -> None:
        self._lists, self._moved, self._is_other_G, self._n_void = lists, moved, is_other, n_void

    def best(self, asked: Asked, counts: Sequence[int]) -> list[np.ndarray | None]:
        """See `Shortlist.best`."""
        # Per query, so that an answer does not depend on the other queries of the batch.
        wanted = np.array([count + min(self._n_void, count) for count in counts])
        found: list[np.ndarray | None] = [None] * len(counts)
        few = np.flatnonzero(wanted <= _MOST)
        points = _points_of(asked)
        for start in range(0, len(few), _AT_ONCE):
            places = few[start : start + _AT_ONCE]
            near = self._lists.search(points[places], int(wanted[places].max()))[1]
            for place, rows in zip(places, near, strict=True):
                found[place] = self._best_of(rows[: wanted[place]], counts[place])
        return found

    def _best_of(self, near: np.ndarray, count: int) -> np.ndarray | None:
        # FAISS returns -1 where the lists searched hold too few rows.
        near = near[near >= 0]
        near = near[~self._is_other_G[near]][:count]
        return np.concatenate([near, self._moved]) if len(near) == count else None


def _in_two(base: Base, n_rows: int) -> np.ndarray:
    """Return the biases and the newness of the first rows, float32 [2, n_rows]."""
    newness = np.zeros(n_rows, np.float32) if base.newness is None else base.newness[:n_rows]
    return np.stack([base.biases[:n_rows], newness])


def _points(vectors: np.ndarray, added: np.ndarray) -> np.ndarray:
    """Return points of equal length, float32 [n, D + 3], for vectors [n, D], biases and newness [2, n]."""
    points = np.concatenate([vectors, added.T, np.zeros((len(vectors), 1), np.float32)], axis=1)
    squares = np.square(points, dtype=np.float64).sum(axis=1)
    points[:, -1] = np.sqrt(squares.max(initial=0.0) - squares)
    return points


def _points_of(asked: Asked) -> np.ndarray:
    """Return the points of queries, float32 [S, D + 3]."""
    points = np.pad(asked.queries, ((0, 0), (0, 3)))
    points[:, -3], points[:, -2] = 1, asked.novelties
    return points


def enough_lists(lists: FaissIndex, n_lists: int, points: np.ndarray, sample: np.ndarray) -> int:
    """Return the number of lists to search in order to find nearly all of the best points of a sample."""
    top = min(_TOP, len(points))
    lengths = np.square(points).sum(axis=1)
    best = [np.partition(lengths - 2 * (points @ each), top - 1)[top - 1] for each in sample]
    farthest = np.array(best)[:, None] + 1e-4 * np.abs(best).max(initial=1)

    def are_enough(probed: int) -> bool:
        lists.nprobe = probed
        distances = lists.search(sample, top)[0] - np.square(sample).sum(axis=1, keepdims=True)
        return bool((distances <= farthest).mean() >= _NEARLY_ALL)

    too_few, enough = 0, min(_AT_LEAST, n_lists)
    while enough < n_lists and not are_enough(enough):
        too_few, enough = enough, min(2 * enough, n_lists)
    while too_few and enough - too_few > max(1, too_few // _EIGHTHS):
        between = (too_few + enough) // 2
        too_few, enough = (too_few, between) if are_enough(between) else (between, enough)
    return enough


def _faiss() -> ModuleType:
    try:
        import faiss
    except ImportError:
        raise MissingDependencyError(
            "serving.index: ivf needs FAISS, which is not installed: pip install 'm2trec-merlin[serve]'"
        ) from None
    module: ModuleType = faiss
    return module
