"""Search in two passes: a ranking names rows that may be among the best, and these are scored exactly.

Rows added to the catalogue after the ranking was written, and rows whose score a wish changes, are considered
in addition. All rows considered are scored from their candidate vectors in the same way for every ranking:
ties remain ties, and a ranking may be rough if it is asked for more rows.

Shape legend: B queries, D model width, G rows of the ranking, M more rows, R = G + M catalogue rows, m
considered rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from m2trec_merlin.contract.version import BIASES, CANDIDATE_VECTORS
from m2trec_merlin.graphs import open_graph
from m2trec_merlin.scores import Lift, best_rows
from m2trec_merlin.scratch import Zeros
from m2trec_merlin.search.candidates import Asked, Base, Found, Selection, Wish, best_of_rows, find_best
from m2trec_merlin.search.products import products, products_of

if TYPE_CHECKING:
    from onnx import NodeProto

#: Least number of rows to score exactly if rough scores of all rows are known; and if the answer lies far
#: below the best rows, where scores are so close together that rough ones misplace more rows.
_NEAR, _FAR = 200, 1024
#: A shortlist is used if a wish changes at most one score in _ONE_IN; beyond, scoring all rows is cheaper.
_ONE_IN = 32


class Shortlist(Protocol):
    """Finds the best rows of a ranking with a fixed base, without scoring all rows."""

    def best(self, asked: Asked, counts: Sequence[int]) -> Sequence[np.ndarray | None]:
        """Return, for each query, rows that include those with the highest scores, int64 [m].

        Args:
            asked: B queries with their novelties.
            counts: number of best rows to include, for each query; if it finds fewer, the answer is None.
        """


class Ranking(Protocol):
    """Rough scores of the G rows that the catalogue had when the index was written."""

    def products(self, queries: np.ndarray) -> np.ndarray:
        """Return the approximate product of each query, float32 [B, D], with all rows, float32 [B, G]."""

    def on(self, base: Base) -> Shortlist | None:
        """Return a shortlist of the first G rows of a base; None if the ranking has none."""


class GraphRanking:
    """Implements `Ranking` with a graph of `write_ranking_graph`.

    Args:
        path: path of the graph.
    """

    def __init__(self, path: Path) -> None:
        self._graph = open_graph(path)

    def products(self, queries: np.ndarray) -> np.ndarray:
        """See `Ranking.products`."""
        found: np.ndarray = self._graph.run(None, {"queries": queries})[0]
        return found

    def on(self, base: Base) -> None:
        """See `Ranking.on`."""


class ScoredCandidates:
    """Implements `Candidates`.

    Args:
        ranking: ranking of the first G rows.
        looked_at: function of `k`: how many rows of the ranking include the `k` best; `k` if it is exact.
        vectors: candidate vectors that the ranking was made of, float32 [G, D].
        base: the base, R rows.
        more: candidate vectors of the other rows, float32 [M, D].
    """

    def __init__(
        self,
        ranking: Ranking,
        looked_at: Callable[[int], int],
        vectors: np.ndarray,
        base: Base,
        more: np.ndarray,
    ) -> None:
        self._ranking, self._looked_at, self._base = ranking, looked_at, base
        # To numba, writable and read-only arrays differ in type: it compiles only once for these.
        self._vectors_GD, self._more_MD = _read_only(vectors), _read_only(more)
        self._shortlist = ranking.on(base)
        self._zeros_R = Zeros(len(base.biases), np.float32)

    @classmethod
    def open(cls, folder: Path, ranking: Ranking, looked_at: Callable[[int], int]) -> ScoredCandidates:
        """Open the candidates of a version folder of the second step; see the class."""
        # Memory-mapped: few rows are read, and instances of the model share them.
        vectors = np.asarray(np.load(folder / CANDIDATE_VECTORS, mmap_mode="r"))
        return cls(ranking, looked_at, vectors, Base(np.load(folder / BIASES)), vectors[:0])

    def changed(self, base: Base, vectors: np.ndarray) -> ScoredCandidates:
        """See `Candidates.changed`."""
        return ScoredCandidates(self._ranking, self._looked_at, self._vectors_GD, base, vectors)

    def search(self, queries: np.ndarray, wishes: Sequence[Wish]) -> list[Found]:
        """See `Candidates.search`."""
        found: dict[int, Found] = {}
        for place, rows in self._few_rows(queries, wishes).items():
            found[place] = self._best_of(rows, queries[place], wishes[place])
        rest = [place for place in range(len(wishes)) if place not in found]
        if rest:
            products_BG = self._ranking.products(queries[rest])
            for place, scores_G in zip(rest, products_BG, strict=True):
                rows = self._near(scores_G, queries[place], wishes[place])
                found[place] = self._best_of(rows, queries[place], wishes[place])
        return [found[place] for place in range(len(wishes))]

    def _few_rows(self, queries: np.ndarray, wishes: Sequence[Wish]) -> dict[int, np.ndarray]:
        """Return rows that include the answer, by index of the query, for queries that need no full scan."""
        few = {place: np.unique(wish.only) for place, wish in enumerate(wishes) if wish.only is not None}
        if self._shortlist is None:
            return few
        most = len(self._base.biases) // _ONE_IN
        counts = {p: _rows_to_list(w, most) for p, w in enumerate(wishes) if p not in few}
        short = [place for place, count in counts.items() if count]
        if not short:
            return few
        novelties = np.array([wishes[place].lift.novelty for place in short], np.float32)
        asked = Asked(queries[short], novelties)
        lists = self._shortlist.best(asked, [counts[place] for place in short])
        for place, listed in zip(short, lists, strict=True):
            if listed is not None:
                best = best_rows(self._scores_of_more(queries[place], wishes[place]), counts[place])
                added = (rows for rows, _ in wishes[place].additions)
                rows = np.concatenate([listed, best + len(self._vectors_GD), *added])
                few[place] = self._with_lifted(rows, wishes[place].lift)
        return few

    def _near(self, products_G: np.ndarray, query: np.ndarray, wish: Wish) -> np.ndarray:
        """Return rows that include the answer, given rough products of all rows of the ranking."""
        scores = products_G
        self._base.add_to(scores, wish.lift.novelty)
        if len(self._more_MD):
            scores = np.concatenate([scores, self._scores_of_more(query, wish)])
        scores[wish.lift.rows] += wish.lift.changes
        for rows, values in wish.additions:
            scores[rows] += values
        far = wish.allowed is not None or len(wish.forbidden) > _NEAR
        count = max(self._looked_at(wish.k), _FAR if far else _NEAR)
        return find_best(scores, Selection(count, wish.forbidden, wish.allowed)).rows

    def _scores_of_more(self, query: np.ndarray, wish: Wish) -> np.ndarray:
        """Return products and base of the rows that the ranking does not know, float32 [M]."""
        base_M = self._base.of(slice(len(self._vectors_GD), None), wish.lift.novelty)
        return products(self._more_MD, query) + base_M

    def _with_lifted(self, rows: np.ndarray, lift: Lift) -> np.ndarray:
        """Return rows and those that a session lifts, each once, in any order."""
        rows = np.unique(rows)
        others = rows[self._changes_of(rows, Wish(0, lift=lift)) == 0]
        return np.concatenate([others, lift.rows[lift.changes != 0]])

    def _best_of(self, rows: np.ndarray, query: np.ndarray, wish: Wish) -> Found:
        """Score distinct rows for a wish, and return the best."""
        scores = self._scores_of(rows, query, wish.lift.novelty)
        scores += self._changes_of(rows, wish)
        if wish.allowed is not None:
            scores[~wish.allowed[rows]] = -np.inf
        return best_of_rows(rows, scores, wish.k)

    def _changes_of(self, rows: np.ndarray, wish: Wish) -> np.ndarray:
        """Return the numbers that a wish adds to rows, float32 [m]; -inf for forbidden rows."""
        changes_R = self._zeros_R.array
        try:
            changes_R[wish.lift.rows] = wish.lift.changes
            for changed, values in wish.additions:
                changes_R[changed] += values
            changes_R[wish.forbidden] = -np.inf
            return changes_R[rows]
        finally:
            for changed in (*_added(wish), wish.forbidden):
                changes_R[changed] = 0

    def _scores_of(self, rows: np.ndarray, query: np.ndarray, novelty: np.float32) -> np.ndarray:
        """Return products and base of rows, float32 [m]."""
        is_known, n_known = rows < len(self._vectors_GD), len(self._vectors_GD)
        scores = np.empty(len(rows), np.float32)
        scores[is_known] = self._products_of(self._vectors_GD, rows[is_known], query)
        scores[~is_known] = self._products_of(self._more_MD, rows[~is_known] - n_known, query)
        scores += self._base.of(rows, novelty)
        return scores

    def _products_of(self, vectors: np.ndarray, rows: np.ndarray, query: np.ndarray) -> np.ndarray:
        # With neighbours there are thousands of rows, and numba is needed anyway.
        if self._base.newness is not None:
            return products_of(vectors, rows, query)
        return products(vectors[rows], query)


def _read_only(vectors: np.ndarray) -> np.ndarray:
    view = vectors.view()
    view.flags.writeable = False
    return view


def _added(wish: Wish) -> list[np.ndarray]:
    """Return the rows whose scores a wish changes."""
    return [wish.lift.rows, *(rows for rows, _ in wish.additions)]


def _rows_to_list(wish: Wish, most: int) -> int:
    """Return how many rows a shortlist needs to include the answer, apart from rows whose scores change.

    0 if a shortlist cannot do it: more than `most` scores change, or filters let only few rows pass.
    """
    if wish.allowed is not None or sum(map(len, _added(wish))) > most:
        return 0
    # A row whose score is lowered may drop out and make room for the next one.
    lowered = sum(
        int(np.count_nonzero(np.broadcast_to(values, rows.shape) < 0)) for rows, values in wish.additions
    )
    return wish.k + len(wish.forbidden) + lowered + int(np.count_nonzero(wish.lift.changes < 0))


def write_ranking_graph(
    path: Path, product: Sequence[NodeProto], weights: dict[str, Path | np.ndarray]
) -> None:
    """Write a graph for `GraphRanking`.

    Args:
        path: path of the ONNX file.
        product: nodes that compute "products" from "queries" and the weights.
        weights: weights by name; a path is a `.npy` file in the folder of `path`, to which the graph refers.
    """
    from onnx import TensorProto, helper, numpy_helper, save

    sizes = np.load(path.parent / CANDIDATE_VECTORS, mmap_mode="r").shape
    graph = helper.make_graph(
        product,
        "candidates",
        [helper.make_tensor_value_info("queries", TensorProto.FLOAT, ["B", sizes[1]])],
        [helper.make_tensor_value_info("products", TensorProto.FLOAT, ["B", sizes[0]])],
        [
            _in_own_file(name, value)
            if isinstance(value, Path)
            else numpy_helper.from_array(np.asarray(value), name)
            for name, value in weights.items()
        ],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)


def _in_own_file(name: str, path: Path) -> object:
    from onnx import TensorProto, helper

    array = np.load(path, mmap_mode="r")
    kind = helper.np_dtype_to_tensor_dtype(array.dtype)
    tensor = TensorProto(name=name, data_type=kind, dims=array.shape, data_location=TensorProto.EXTERNAL)
    where = {"location": path.name, "offset": array.offset, "length": array.nbytes}
    for key, value in where.items():
        tensor.external_data.add(key=key, value=str(value))
    return tensor
