"""From encoded items to item vectors and candidates, by the exported graph, without torch.

Shape legend: n items, I item width, D model width.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from m2trec_merlin.contract.version import HISTORY, ITEM_GRAPH, OTHER_INPUT
from m2trec_merlin.encoded import NO_ITEM, EncodedColumn, EncodedItems, to_tensors
from m2trec_merlin.graphs import open_graph

#: Size of the batches that items are encoded in; always the same, since sums of floats may depend on it.
_AT_ONCE = 256


class ItemGraph:
    """The exported graph that makes item vectors, and candidates if any item can be one.

    Args:
        folder: version folder of the second step; its training histories are memory-mapped.
    """

    def __init__(self, folder: Path) -> None:
        self._graph = open_graph(folder / ITEM_GRAPH)
        inputs = {each.name for each in self._graph.get_inputs()}
        tables = {OTHER_INPUT.format(name): path for name, path in history_tables(folder).items()}
        #: float32 [training items + 1, ...], by input; row 0 for items without a history.
        self._histories = {name: np.load(tables[name], mmap_mode="r") for name in inputs & tables.keys()}
        self.widths = [output.shape[1:] for output in self._graph.get_outputs()]

    def encode(self, items: EncodedItems, histories: np.ndarray | None = None) -> list[np.ndarray]:
        """Return item vectors [n, I]; vectors [n, D] and biases [n] of candidates, if any item can be one.

        Args:
            items: n items, encoded by the items workflow.
            histories: int64 [n], rows of the trained catalogue whose training history the items have; NO_ITEM
                for an item without a history. None if no item has one.
        """
        feeds = to_tensors(items)
        rows = np.zeros(len(next(iter(items.values()))), np.int64) if histories is None else histories
        for name, table in self._histories.items():
            feeds[name] = table[np.where(rows < len(table), rows, NO_ITEM)]
        outputs: list[np.ndarray] = self._graph.run(None, feeds)
        return outputs


class CatalogueEncoder:
    """Encodes items in batches, in the same way for an export and for items that are added later.

    Args:
        folder: version folder of the second step.
    """

    def __init__(self, folder: Path) -> None:
        self._graph = ItemGraph(folder)

    def encode(self, items: EncodedItems, histories: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return item vectors [n, I], candidate vectors [n, D] and biases [n], float32; see `ItemGraph`."""
        parts = []
        for start in range(0, len(histories), _AT_ONCE):
            rows = histories[start : start + _AT_ONCE]
            block = {name: column.slice(start, start + len(rows)) for name, column in items.items()}
            filled = {name: _filled(column) for name, column in block.items()}
            fill = np.zeros(_AT_ONCE - len(rows), np.int64)
            outputs = self._graph.encode(filled, np.concatenate([rows, fill]))
            parts.append([output[: len(rows)] for output in outputs])
        nothing = [np.zeros((0, *width), np.float32) for width in self._graph.widths]
        vectors, candidates, biases = (
            np.concatenate(outputs) for outputs in zip(nothing, *parts, strict=True)
        )
        return vectors, candidates, biases


def history_tables(folder: Path) -> dict[str, Path]:
    """Return the paths of the tables of training histories, by name."""
    before, after = HISTORY.split("{}")
    paths = folder.glob(HISTORY.format("*"))
    return {path.name.removeprefix(before).removesuffix(after): path for path in paths}


def _filled(column: EncodedColumn) -> EncodedColumn:
    return EncodedColumn.join([column, EncodedColumn.missing(column.field, _AT_ONCE - len(column))])
