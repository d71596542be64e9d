"""The 8-bit index, which scores all candidates in small integers: fast, in a quarter of the memory.

Shape legend: D model width, d main directions, R catalogue rows.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from m2trec_merlin.contract.version import CANDIDATE_VECTORS
from m2trec_merlin.search.candidates import Asked, Base, Candidates
from m2trec_merlin.search.scored import GraphRanking, ScoredCandidates, write_ranking_graph

_GRAPH, _VECTORS = "quantised.onnx", "quantised_vectors.npy"

#: Seven bits: processors without instructions for products of bytes add two products in 16 bits.
_LARGEST = 63
#: Share of the candidates' squared norms that the main directions keep; their number is a multiple of _STEP.
_HELD, _STEP = 0.95, 16
#: Rows to score exactly: a multiple of those wanted, and a minimum; the export measures what that misses.
_TIMES, _AT_LEAST = 4, 160


class QuantisedIndex:
    """Implements `Index`: finds rows with high 8-bit products, and ranks them by exact ones."""

    meaning = "in 8 bits, the best of them exactly"
    packages: tuple[str, ...] = ()

    def is_worth_trying(self, n_rows: int, n_added: int) -> bool:
        """See `Index.is_worth_trying`."""
        return True

    def write(self, folder: Path, base: Base, asked: Asked) -> None:
        """See `Index.write`.

        Each candidate and each query has a scale of its own, given by its largest entry, so that the answer
        to a query does not depend on the other queries of the batch.
        """
        from onnx import helper

        vectors_RD = np.load(folder / CANDIDATE_VECTORS)
        directions_Dd = main_directions(vectors_RD)
        vectors_Rd = vectors_RD @ directions_Dd
        largest_R = np.abs(vectors_Rd).max(axis=1)
        scales_R = (np.where(largest_R > 0, largest_R, 1) / _LARGEST).astype(np.float32)
        quantised_Rd = np.round(vectors_Rd / scales_R[:, None]).astype(np.int8)
        np.save(folder / _VECTORS, np.ascontiguousarray(quantised_Rd.T))
        weights: dict[str, Path | np.ndarray] = {
            "directions": directions_Dd,
            "candidates": folder / _VECTORS,
            "scales": scales_R,
            "least": np.array(1e-30, np.float32),
            "step": np.array(1 / 127, np.float32),
            "zero": np.array(128, np.uint8),
        }
        product = [
            helper.make_node("MatMul", ["queries", "directions"], ["turned"]),
            helper.make_node("Abs", ["turned"], ["sizes"]),
            helper.make_node("ReduceMax", ["sizes"], ["largest_or_0"], axes=[1]),
            helper.make_node("Max", ["largest_or_0", "least"], ["largest"]),
            helper.make_node("Div", ["turned", "largest"], ["scaled_queries"]),
            helper.make_node("QuantizeLinear", ["scaled_queries", "step", "zero"], ["quantised"]),
            helper.make_node(
                "MatMulIntegerToFloat",
                ["quantised", "candidates", "step", "scales", "zero"],
                ["scaled"],
                domain="com.microsoft",
            ),
            helper.make_node("Mul", ["scaled", "largest"], ["products"]),
        ]
        write_ranking_graph(folder / _GRAPH, product, weights)

    def open(self, folder: Path) -> Candidates:
        """See `Index.open`."""
        return ScoredCandidates.open(folder, self.ranking(folder), rough)

    def ranking(self, folder: Path) -> GraphRanking:
        """Open the ranking by 8-bit products that `write` left in a folder."""
        return GraphRanking(folder / _GRAPH)


def rough(k: int) -> int:
    """Return the number of best rows by rough scores that should include the `k` best."""
    return max(_TIMES * k, _AT_LEAST)


def main_directions(vectors: np.ndarray) -> np.ndarray:
    """Return the main orthogonal directions of vectors, float32 [D, d].

    They keep 95 % of the squared norms, so products with the rest are small.

    Args:
        vectors: the vectors, float32 [R, D].
    """
    squares, directions = np.linalg.eigh((vectors.T @ vectors).astype(np.float64))
    held = np.cumsum(squares[::-1])
    enough = 1 + int(np.searchsorted(held, _HELD * held[-1]))
    width = min(-(-enough // _STEP) * _STEP, len(squares))
    return directions[:, ::-1][:, :width].astype(np.float32)
