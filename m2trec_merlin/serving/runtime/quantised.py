"""Every candidate is scored in small integers, a few times as fast and in a quarter of the memory.

Shape legend: D model width, R catalogue rows.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from m2trec_merlin.serving.contract.version import CANDIDATE_VECTORS
from m2trec_merlin.serving.runtime.candidates import Candidates
from m2trec_merlin.serving.runtime.scored import GraphRanking, ScoredCandidates, write_graph

_GRAPH, _VECTORS = "quantised.onnx", "quantised_vectors.npy"

#: Seven bits: processors without instructions for products of bytes add two of them in 16 bits.
_LARGEST = 63
#: So many times as many as are wanted, and at least so many: the export measures what these hold of the best.
_TIMES, _AT_LEAST = 4, 80


class QuantisedIndex:
    """Implements `Index`: roughly the best are found by 8-bit products, the best of them by exact ones."""

    def write(self, folder: Path) -> None:
        """See `Index.write`.

        Each candidate and each query has a scale of its own, which its largest entry needs: what a query
        finds does not depend on the others of its batch.
        """
        from onnx import helper

        vectors_RD = np.load(folder / CANDIDATE_VECTORS)
        largest_R = np.abs(vectors_RD).max(axis=1)
        scales_R = (np.where(largest_R > 0, largest_R, 1) / _LARGEST).astype(np.float32)
        quantised_RD = np.round(vectors_RD / scales_R[:, None]).astype(np.int8)
        np.save(folder / _VECTORS, np.ascontiguousarray(quantised_RD.T))
        weights: dict[str, Path | np.ndarray] = {
            "candidates": folder / _VECTORS,
            "scales": scales_R,
            "least": np.array(1e-30, np.float32),
            "step": np.array(1 / 127, np.float32),
            "zero": np.array(128, np.uint8),
        }
        product = [
            helper.make_node("Abs", ["queries"], ["sizes"]),
            helper.make_node("ReduceMax", ["sizes"], ["largest_or_0"], axes=[1]),
            helper.make_node("Max", ["largest_or_0", "least"], ["largest"]),
            helper.make_node("Div", ["queries", "largest"], ["directions"]),
            helper.make_node("QuantizeLinear", ["directions", "step", "zero"], ["quantised"]),
            helper.make_node(
                "MatMulIntegerToFloat",
                ["quantised", "candidates", "step", "scales", "zero"],
                ["products"],
                domain="com.microsoft",
            ),
            helper.make_node("Mul", ["products", "largest"], ["scaled"]),
            helper.make_node("Add", ["scaled", "biases"], ["scores"]),
        ]
        write_graph(folder / _GRAPH, product, weights)

    def open(self, folder: Path) -> Candidates:
        """See `Index.open`."""
        return ScoredCandidates.open(folder, self.ranking(folder), rough)

    def ranking(self, folder: Path) -> GraphRanking:
        """Open what `write` left in a folder, without exact scores."""
        return GraphRanking(folder / _GRAPH)


def rough(k: int) -> int:
    """Return how many of the best rows by rough scores hold the `k` best."""
    return max(_TIMES * k, _AT_LEAST)
