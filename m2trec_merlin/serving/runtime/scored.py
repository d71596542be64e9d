"""Search in two passes: a ranking names the rows that come near an answer, and these are scored exactly.

Rows that came to the catalogue after the ranking was written are multiplied here, and rows that a wish adds
to are looked at besides. All are then scored from the candidate vectors themselves, in one way whatever the
ranking: equals stay equals, and a ranking may be rough if more rows are asked of it.

Most rankings are graphs. Such a graph takes queries [B, D], biases, those of all queries ([1, G]) or of each
([B, G]), and `count`, and gives the rows [B, count] with the highest scores, so that the scores of all rows
stay inside; or the `scores` [B, G]. ONNX Runtime computes all that a graph can give, whatever is asked: so
there is one selection in it.

Shape legend: B queries, D model width, G rows of the ranking, M more rows, R = G + M catalogue rows, c rows
that are looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from m2trec_merlin.scores import best_rows
from m2trec_merlin.serving.contract.version import BIASES, CANDIDATE_VECTORS
from m2trec_merlin.serving.runtime.candidates import Found, Selection, Wish, find_best
from m2trec_merlin.serving.runtime.graphs import open_graph

if TYPE_CHECKING:
    from onnx import NodeProto

#: Rows that a ranking picks at most: beyond, picking costs more than handing over all scores.
_MOST_PICKED = 1024
#: Rows that are scored once more, at least, where rough scores of all rows are at hand.
_NEAR = 200
#: In place of a number of rows: no ranking need be asked, since the rows are named.
_LISTED = -1


class Ranking(Protocol):
    """Candidates that are already there when an index is written, G rows."""

    def rows(
        self, queries: np.ndarray, biases: np.ndarray, lifts: Sequence[np.ndarray] | None, count: int
    ) -> np.ndarray:
        """Return the rows with the highest scores for each query, best first, int64 [B, count].

        Args:
            queries: float32 [B, D].
            biases: float32 [G]; -inf for rows that are no candidates any more.
            lifts: for each query float32 [R], added to the scores of the first G; None for nothing.
            count: rows wanted, at most G.
        """

    def scores(self, queries: np.ndarray, biases: np.ndarray) -> np.ndarray:
        """Return the scores of all rows, roughly at least, float32 [B, G]; see `rows`."""


class GraphRanking:
    """Implements `Ranking` by a graph that `write_graph` left.

    Args:
        path: of the graph.
    """

    def __init__(self, path: Path) -> None:
        self._graph = open_graph(path)

    def rows(
        self, queries: np.ndarray, biases: np.ndarray, lifts: Sequence[np.ndarray] | None, count: int
    ) -> np.ndarray:
        """See `Ranking.rows`."""
        if lifts is None:
            return self._run("rows", queries, biases[None], count)
        lifted = np.empty((len(lifts), len(biases)), np.float32)
        for line, own in zip(lifted, lifts, strict=True):
            np.add(biases, own[: len(biases)], out=line)
        return self._run("rows", queries, lifted, count)

    def scores(self, queries: np.ndarray, biases: np.ndarray) -> np.ndarray:
        """See `Ranking.scores`."""
        return self._run("scores", queries, biases[None], 1)

    def _run(self, output: str, queries: np.ndarray, biases: np.ndarray, count: int) -> np.ndarray:
        feeds = {"queries": queries, "biases": biases, "count": np.array([count])}
        found: np.ndarray = self._graph.run([output], feeds)[0]
        return found


class ScoredCandidates:
    """Implements `Candidates`.

    Args:
        ranking: of the first G rows.
        looked_at: how many of the first rows of the ranking hold the `k` best; `k` if it is exact.
        vectors: float32 [G, D], the candidate vectors that the ranking was made of.
        biases: float32 [R].
        more: float32 [M, D], the candidate vectors of the other rows.
    """

    def __init__(
        self,
        ranking: Ranking,
        looked_at: Callable[[int], int],
        vectors: np.ndarray,
        biases: np.ndarray,
        more: np.ndarray,
    ) -> None:
        self._ranking, self._looked_at = ranking, looked_at
        self._vectors_GD, self._more_MD = vectors, more
        self._biases_R = biases
        self._biases_G = biases[: len(vectors)]

    @classmethod
    def open(cls, folder: Path, ranking: Ranking, looked_at: Callable[[int], int]) -> ScoredCandidates:
        """Open the candidates of a version folder of the second step; see the class."""
        # Mapped, not read: few rows are looked at, and instances of the model share them.
        vectors = np.asarray(np.load(folder / CANDIDATE_VECTORS, mmap_mode="r"))
        return cls(ranking, looked_at, vectors, np.load(folder / BIASES), vectors[:0])

    def changed(self, biases: np.ndarray, vectors: np.ndarray) -> ScoredCandidates:
        """See `Candidates.changed`."""
        return ScoredCandidates(self._ranking, self._looked_at, self._vectors_GD, biases, vectors)

    def search(self, queries: np.ndarray, wishes: Sequence[Wish]) -> list[Found]:
        """See `Candidates.search`."""
        found: list[Found | None] = [None] * len(wishes)
        counts = np.array([self._rows_to_pick(wish) for wish in wishes])
        for index, wish in enumerate(wishes):
            if wish.only is not None:
                counts[index] = _LISTED
                found[index] = self._best_of(wish.only, queries[index], wish)
        lifted = np.array([wish.lifts is not None for wish in wishes])
        for picked in (np.flatnonzero((counts > 0) & lifted), np.flatnonzero((counts > 0) & ~lifted)):
            for index, near in zip(picked, self._pick(queries, wishes, counts, picked), strict=True):
                found[index] = self._best_of(near, queries[index], wishes[index])
        if len(scored := np.flatnonzero(counts == 0)):
            scores_BG = self._ranking.scores(queries[scored], self._biases_G)
            more_BM = self._scores_of_more(queries[scored])
            scores_BR = np.concatenate([scores_BG, more_BM], axis=1) if more_BM.size else scores_BG
            for index, row in zip(scored, scores_BR, strict=True):
                found[index] = self._best_of_all(row, queries[index], wishes[index])
        return [each for each in found if each is not None]

    def _pick(
        self, queries: np.ndarray, wishes: Sequence[Wish], counts: np.ndarray, picked: np.ndarray
    ) -> Iterator[np.ndarray]:
        """Yield rows that hold the answers to some of the wishes, all of them with lifts or all without."""
        if not len(picked):
            return
        n_ranked, most = len(self._vectors_GD), int(counts[picked].max())
        lifts = [lifts for index in picked if (lifts := wishes[index].lifts) is not None]
        rows_Bc = self._ranking.rows(queries[picked], self._biases_G, lifts or None, min(most, n_ranked))
        more_BM = self._scores_of_more(queries[picked])
        if lifts:
            more_BM += [each[n_ranked:] for each in lifts]
        for index, rows, scores in zip(picked, rows_Bc, more_BM, strict=True):
            added = [changed for changed, _ in wishes[index].additions]
            if len(scores):
                added.append(best_rows(scores, counts[index]) + n_ranked)
            yield np.concatenate([rows[: counts[index]], *added])

    def _scores_of_more(self, queries: np.ndarray) -> np.ndarray:
        """Scores of the rows that the ranking does not know, near to rounding: float32 [B, M]."""
        scores: np.ndarray = queries @ self._more_MD.T + self._biases_R[len(self._vectors_GD) :]
        return scores

    def _rows_to_pick(self, wish: Wish) -> int:
        """Return how many rows hold the answer, whatever is added and forbidden; 0 where all are needed."""
        added = sum(len(rows) for rows, _ in wish.additions)
        count = self._looked_at(wish.k) + len(wish.forbidden) + added
        if wish.allowed is not None or count > _MOST_PICKED:
            return 0
        return min(count, len(self._biases_R))

    def _best_of(self, rows: np.ndarray, query: np.ndarray, wish: Wish) -> Found:
        """Score rows, in any order, as the wish has it; return the best."""
        rows = np.unique(rows)
        first = int(np.searchsorted(rows, len(self._vectors_GD)))
        vectors = self._vectors_GD[rows[:first]]
        if first < len(rows):
            vectors = np.concatenate([vectors, self._more_MD[rows[first:] - len(self._vectors_GD)]])
        # Not a matrix product: its sums depend on where in the matrix a row stands.
        scores = (vectors * query).sum(axis=1) + self._biases_R[rows]
        if wish.lifts is not None:
            scores += wish.lifts[rows]
        for changed, values in wish.additions:
            places, known = _places(rows, changed)
            scores[places] += values[known] if isinstance(values, np.ndarray) else values
        if len(wish.forbidden):
            scores[_places(rows, wish.forbidden)[0]] = -np.inf
        if wish.allowed is not None:
            scores[~wish.allowed[rows]] = -np.inf
        best = best_rows(scores, wish.k)
        return Found(rows[best], scores[best])

    def _best_of_all(self, scores: np.ndarray, query: np.ndarray, wish: Wish) -> Found:
        if wish.lifts is not None:
            scores += wish.lifts
        for rows, values in wish.additions:
            scores[rows] += values
        # Far below the best, rows lie so close together that rough scores mistake more of them.
        far = wish.allowed is not None or len(wish.forbidden) > _NEAR
        count = max(self._looked_at(wish.k), _MOST_PICKED if far else _NEAR)
        near = find_best(scores, Selection(count, wish.forbidden, wish.allowed))
        return self._best_of(near.rows, query, wish)


def _places(rows: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the places in sorted rows of those wanted that are among them, and which ones these are."""
    places = np.searchsorted(rows, wanted)
    known = np.append(rows, -1)[places] == wanted
    return places[known], known


def write_graph(path: Path, product: Sequence[NodeProto], weights: dict[str, Path | np.ndarray]) -> None:
    """Write a graph for `GraphRanking`.

    Args:
        path: of the ONNX file.
        product: nodes that make "scores" of "queries", "biases" and the weights.
        weights: by name; a path is a `.npy` file in the folder of `path`, to which the graph refers.
    """
    from onnx import TensorProto, helper, numpy_helper, save

    sizes = np.load(path.parent / CANDIDATE_VECTORS, mmap_mode="r").shape
    floats, whole = TensorProto.FLOAT, TensorProto.INT64
    graph = helper.make_graph(
        [
            *product,
            helper.make_node("TopK", ["scores", "count"], ["best", "rows"]),
        ],
        "candidates",
        [
            helper.make_tensor_value_info("queries", floats, ["B", sizes[1]]),
            helper.make_tensor_value_info("biases", floats, ["one or B", sizes[0]]),
            helper.make_tensor_value_info("count", whole, [1]),
        ],
        [
            helper.make_tensor_value_info("scores", floats, ["B", sizes[0]]),
            helper.make_tensor_value_info("rows", whole, ["B", "count"]),
        ],
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
