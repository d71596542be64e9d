"""The exact index, which scores every candidate: the product of all queries and all candidates."""

from __future__ import annotations

from pathlib import Path

from m2trec_merlin.contract.version import CANDIDATE_VECTORS
from m2trec_merlin.search.candidates import Asked, Base, Candidates
from m2trec_merlin.search.scored import GraphRanking, ScoredCandidates, write_ranking_graph

_GRAPH = "scores.onnx"


class ExactIndex:
    """Implements `Index`."""

    meaning = "all candidates are scored"
    packages: tuple[str, ...] = ()

    def is_worth_trying(self, n_rows: int, n_added: int) -> bool:
        """See `Index.is_worth_trying`."""
        return True

    def write(self, folder: Path, base: Base, asked: Asked) -> None:
        """See `Index.write`; the graph refers to the file of candidate vectors, without a copy."""
        from onnx import helper

        product = helper.make_node("Gemm", ["queries", "candidates"], ["products"], transB=1)
        write_ranking_graph(folder / _GRAPH, [product], {"candidates": folder / CANDIDATE_VECTORS})

    def open(self, folder: Path) -> Candidates:
        """See `Index.open`."""
        return ScoredCandidates.open(folder, GraphRanking(folder / _GRAPH), looked_at=lambda k: k)
