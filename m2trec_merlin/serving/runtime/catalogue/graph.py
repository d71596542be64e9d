"""Encoded items to rows of a catalogue, by the graph that the export wrote: without torch.

Shape legend: n items, I item width, D model width.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from m2trec_merlin.contract.version import OTHER_INPUT
from m2trec_merlin.encoded import EncodedColumn, EncodedItems, to_tensors
from m2trec_merlin.graphs import open_graph

#: Items that are encoded together, always so many: sums of floats may depend on how many there are.
_AT_ONCE = 256


class CatalogueEncoder:
    """Makes all that a server knows of items, for an export and for what comes after it alike.

    Args:
        path: of the graph.
    """

    def __init__(self, path: Path) -> None:
        self._graph = open_graph(path)
        self._widths = [output.shape[1:] for output in self._graph.get_outputs()]

    def encode(self, items: EncodedItems, histories: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return item vectors [n, I], candidate vectors [n, D] and biases [n], float32.

        Args:
            items: n of them, encoded by the items workflow.
            histories: int64 [n], rows of the trained catalogue whose training history they have; NO_ITEM for
                items that have none.
        """
        parts = []
        for start in range(0, len(histories), _AT_ONCE):
            rows = histories[start : start + _AT_ONCE]
            block = {name: column.slice(start, start + len(rows)) for name, column in items.items()}
            filled = {name: _filled(column) for name, column in block.items()}
            fill = np.zeros(_AT_ONCE - len(rows), np.int64)
            feeds = {**to_tensors(filled), OTHER_INPUT.format("rows"): np.concatenate([rows, fill])}
            parts.append([output[: len(rows)] for output in self._graph.run(None, feeds)])
        nothing = [np.zeros((0, *width), np.float32) for width in self._widths]
        vectors, candidates, biases = (
            np.concatenate(outputs) for outputs in zip(nothing, *parts, strict=True)
        )
        return vectors, candidates, biases


def _filled(column: EncodedColumn) -> EncodedColumn:
    return EncodedColumn.join([column, EncodedColumn.missing(column.field, _AT_ONCE - len(column))])
