"""Search by scoring every candidate in a graph, and the best of them once more.

The graph takes queries [B, D] and `count`, and gives the `rows` [B, count] with the highest scores, so that
the scores of all rows stay inside; or these `scores` [B, R], where a wish needs them. Rows that a wish adds
something to are looked at besides. All that come near an answer are then scored from the candidate vectors
themselves, in one way whatever the graph: equals stay equals, and a graph may score roughly if more rows are
asked of it.

Shape legend: B queries, D model width, R catalogue rows, c rows that are looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from m2trec_merlin.scores import best_rows
from m2trec_merlin.serving.contract.version import BIASES, CANDIDATE_VECTORS
from m2trec_merlin.serving.runtime.candidates import Found, Wish, find_best
from m2trec_merlin.serving.runtime.graphs import open_graph

if TYPE_CHECKING:
    from onnx import NodeProto

#: Rows that a graph picks at most: beyond, picking costs more than handing over all scores.
_MOST_PICKED = 1024


class ScoredCandidates:
    """Implements `Candidates`.

    Args:
        folder: version folder of the second step.
        graph: name of the graph's file there.
        looked_at: how many of the best rows by the graph's scores hold the `k` best; `k` if it is exact.
    """

    def __init__(self, folder: Path, graph: str, looked_at: Callable[[int], int]) -> None:
        self._graph = open_graph(folder / graph)
        self._looked_at = looked_at
        # Mapped, not read: few rows are looked at, and instances of the model share them.
        self._vectors_RD = np.asarray(np.load(folder / CANDIDATE_VECTORS, mmap_mode="r"))
        self._biases_R = np.load(folder / BIASES)

    def search(self, queries: np.ndarray, wishes: Sequence[Wish]) -> list[Found]:
        """See `Candidates.search`."""
        counts = np.array([self._rows_to_pick(wish) for wish in wishes])
        found: list[Found | None] = [None] * len(wishes)
        if len(picked := np.flatnonzero(counts)):
            feeds = {"queries": queries[picked], "count": np.array([counts.max()])}
            (rows,) = self._graph.run(["rows"], feeds)
            for index, row in zip(picked, rows, strict=True):
                added = [changed for changed, _ in wishes[index].additions]
                near = np.concatenate([row[: counts[index]], *added])
                found[index] = self._best_of(near, queries[index], wishes[index])
        if len(scored := np.flatnonzero(counts == 0)):
            feeds = {"queries": queries[scored], "count": np.array([1])}
            (scores,) = self._graph.run(["scores"], feeds)
            for index, row in zip(scored, scores, strict=True):
                found[index] = self._best_of_all(row, queries[index], wishes[index])
        return [each for each in found if each is not None]

    def _rows_to_pick(self, wish: Wish) -> int:
        """Return how many rows hold the answer, whatever is added and forbidden; 0 where all are needed."""
        added = sum(len(rows) for rows, _ in wish.additions)
        count = self._looked_at(wish.k) + len(wish.forbidden) + added
        if wish.allowed is not None or wish.remix is not None or count > _MOST_PICKED:
            return 0
        return min(count, len(self._biases_R))

    def _best_of(self, rows: np.ndarray, query: np.ndarray, wish: Wish) -> Found:
        """Score rows, in any order, as the wish has it; return the best."""
        rows = np.unique(rows)
        # Not a matrix product: its sums depend on where in the matrix a row stands.
        scores = (self._vectors_RD[rows] * query).sum(axis=1) + self._biases_R[rows]
        for changed, values in wish.additions:
            known = np.isin(changed, rows, assume_unique=True)
            places = np.searchsorted(rows, changed[known])
            scores[places] += values[known] if isinstance(values, np.ndarray) else values
        if len(wish.forbidden):
            scores[np.isin(rows, wish.forbidden)] = -np.inf
        if wish.allowed is not None:
            scores[~wish.allowed[rows]] = -np.inf
        best = best_rows(scores, wish.k)
        return Found(rows[best], scores[best])

    def _best_of_all(self, scores: np.ndarray, query: np.ndarray, wish: Wish) -> Found:
        for rows, values in wish.additions:
            scores[rows] += values
        if wish.remix is not None:
            return find_best(wish.remix(scores), wish)
        count = max(self._looked_at(wish.k), _MOST_PICKED)
        near = find_best(scores, Wish(count, (), wish.forbidden, wish.allowed))
        return self._best_of(near.rows, query, wish)


def write_graph(path: Path, product: Sequence[NodeProto], weights: dict[str, Path | np.ndarray]) -> None:
    """Write a graph for `ScoredCandidates`.

    Args:
        path: of the ONNX file.
        product: nodes that make "scores" of "queries" and the weights.
        weights: by name; a path is a `.npy` file in the folder of `path`, to which the graph refers.
    """
    from onnx import TensorProto, helper, numpy_helper, save

    sizes = np.load(path.parent / CANDIDATE_VECTORS, mmap_mode="r").shape
    floats, whole = TensorProto.FLOAT, TensorProto.INT64
    graph = helper.make_graph(
        [*product, helper.make_node("TopK", ["scores", "count"], ["best_scores", "rows"])],
        "candidates",
        [
            helper.make_tensor_value_info("queries", floats, ["B", sizes[1]]),
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
