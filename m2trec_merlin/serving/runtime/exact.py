"""Every candidate is scored: the product of all queries and all candidates, as a graph."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from m2trec_merlin.serving.contract.version import SCORE_GRAPH
from m2trec_merlin.serving.runtime.candidates import Found, Wish, find_best
from m2trec_merlin.serving.runtime.graphs import open_graph


class ExactIndex:
    """Implements `Candidates`.

    Args:
        folder: version folder of the second step.
    """

    def __init__(self, folder: Path) -> None:
        # The candidates are inside this graph: ONNX Runtime multiplies several times as fast as NumPy.
        self._graph = open_graph(folder / SCORE_GRAPH)

    def search(self, queries: np.ndarray, wishes: Sequence[Wish]) -> list[Found]:
        """See `Candidates.search`."""
        scores_BR: np.ndarray = self._graph.run(None, {"queries": queries})[0]
        return [self._find(scores, wish) for scores, wish in zip(scores_BR, wishes, strict=True)]

    def _find(self, scores: np.ndarray, wish: Wish) -> Found:
        for rows, values in wish.additions:
            scores[rows] += values
        return find_best(scores if wish.remix is None else wish.remix(scores), wish)
