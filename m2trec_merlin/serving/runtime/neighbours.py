"""Neighbours beside an exported model, mixed as in neighbours/mixture.py.

They bring SciPy, scikit-learn and pandas into the server, so nothing here is imported unless a model
repository has neighbours (`serving.neighbours`).

Shape legend: B sessions, N catalogue rows (row 0 is padding).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.neighbours.metadata_knn import MetadataKnn, first_of_equal_metadata
from m2trec_merlin.neighbours.mixture import mix
from m2trec_merlin.sessions import Prefixes, Sessions

ROWS, OFFSETS, SAME = "neighbour_rows.npy", "neighbour_offsets.npy", "neighbour_same.npy"


def write_neighbours(folder: Path, catalogue: Catalogue, train: Sessions, by_id: bool) -> None:
    """Write the training sessions, and which items are the same to them.

    Args:
        folder: a version folder of `m2trec_predict`.
        catalogue: of the model.
        train: its training sessions.
        by_id: whether each item is the same as itself alone, as for a model that reads ids.
    """
    np.save(folder / ROWS, train.rows.astype(np.int32))
    np.save(folder / OFFSETS, train.offsets)
    np.save(folder / SAME, np.arange(catalogue.n_rows) if by_id else first_of_equal_metadata(catalogue))


class ExportedNeighbours:
    """Neighbours read from a version folder of `m2trec_predict`.

    Args:
        folder: what `write_neighbours` wrote into.
        items: the table with the training occurrences of the items.
    """

    def __init__(self, folder: Path, items: Path) -> None:
        counts = pq.read_table(items, columns=["train_count"]).column(0).to_numpy()
        same = np.load(folder / SAME)
        catalogue = Catalogue(np.arange(len(same)), np.concatenate([[0], counts]), {})
        train = Sessions(np.load(folder / ROWS).astype(np.int64), np.load(folder / OFFSETS))
        self._neighbours = MetadataKnn(catalogue, train, same)

    def mix(self, scores: np.ndarray, sessions: Sequence[np.ndarray]) -> np.ndarray:
        """Mix the scores of the model with those of the neighbours, float32 [B, N].

        Args:
            scores: of the model, float32 [B, N].
            sessions: rows of each, int64 [L]; items outside of the catalogue are negative, and have no
                neighbours.
        """
        held = Sessions.from_lists([np.maximum(session, 0).tolist() for session in sessions])
        return mix(scores, self._neighbours.score(Prefixes(held, np.arange(len(held)), held.lengths)))
