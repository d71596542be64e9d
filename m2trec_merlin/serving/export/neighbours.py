"""Export of the sessions and views that neighbours need, to be mixed with an exported model."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.contract.version import (
    NEIGHBOUR_OFFSETS,
    NEIGHBOUR_ROWS,
    NEIGHBOUR_TARGETS,
    NEIGHBOUR_TRENDS,
)
from m2trec_merlin.evaluation.known import Known
from m2trec_merlin.neighbours.weights import VIEWS, Weights


def write_neighbours(folder: Path, catalogue: Catalogue, known: Known, weights: Weights) -> None:
    """Write the known sessions, and trends and files of views as far as their weights are not 0.

    Args:
        folder: version folder of `m2trec_predict`.
        catalogue: catalogue of the model.
        known: sessions that are known when the model goes live.
        weights: weights of the mixture.
    """
    sessions = known.sessions
    np.save(folder / NEIGHBOUR_ROWS, sessions.rows.astype(np.int32))
    np.save(folder / NEIGHBOUR_OFFSETS, sessions.offsets)
    if sessions.is_target is not None:
        np.save(folder / NEIGHBOUR_TARGETS, sessions.is_target)
    if weights["trend"] and (trends := known.trends) is not None:
        np.save(folder / NEIGHBOUR_TRENDS, trends)
    for name in weights.views():
        VIEWS[name].write(folder, catalogue, sessions)
