"""Neighbours beside an exported model, mixed as in neighbours/mixture.py.

They bring SciPy, scikit-learn and pandas into the server, so nothing here is imported unless a model
repository has neighbours (`serving.neighbours`).

Shape legend: B sessions, L events of one, R catalogue rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.encoded import NO_ITEM
from m2trec_merlin.neighbours.metadata_knn import MetadataKnn
from m2trec_merlin.neighbours.mixture import mix
from m2trec_merlin.serving.contract.version import ITEMS, NEIGHBOUR_OFFSETS, NEIGHBOUR_ROWS, NEIGHBOUR_SAME
from m2trec_merlin.serving.runtime.candidates import Remix
from m2trec_merlin.sessions import Prefixes, Sessions


class ExportedNeighbours:
    """Neighbours read from a version folder of `m2trec_predict`.

    Args:
        folder: what the export wrote into.
    """

    def __init__(self, folder: Path) -> None:
        counts = pq.read_table(folder / ITEMS, columns=["train_count"]).column(0).to_numpy()
        same = np.load(folder / NEIGHBOUR_SAME)
        catalogue = Catalogue(np.arange(len(same)), np.concatenate([[0], counts]), {})
        rows, offsets = np.load(folder / NEIGHBOUR_ROWS), np.load(folder / NEIGHBOUR_OFFSETS)
        self._neighbours = MetadataKnn(catalogue, Sessions(rows.astype(np.int64), offsets), same)

    def remixes(self, sessions: Sequence[np.ndarray]) -> list[Remix]:
        """Return for each session what mixes the scores of the model with those of its neighbours.

        Args:
            sessions: rows of each, int64 [L]; items outside of the catalogue are negative, and have no
                neighbours.
        """
        held = Sessions.from_lists([np.maximum(session, NO_ITEM).tolist() for session in sessions])
        near_BR = self._neighbours.score(Prefixes(held, np.arange(len(held)), held.lengths))
        return [partial(_mix_one, near=near_BR[index : index + 1]) for index in range(len(held))]


def _mix_one(scores: np.ndarray, near: np.ndarray) -> np.ndarray:
    mixed: np.ndarray = mix(scores[np.newaxis], near)[0]
    return mixed
