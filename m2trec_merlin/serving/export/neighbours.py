"""The training sessions beside an exported model, to be mixed with it."""

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
from m2trec_merlin.neighbours.pasts import trends_of
from m2trec_merlin.neighbours.weights import VIEWS, Weights
from m2trec_merlin.sessions import Sessions


def write_neighbours(folder: Path, catalogue: Catalogue, train: Sessions, weights: Weights) -> None:
    """Write the training sessions, trends, and what views need besides, as far as it counts.

    Args:
        folder: a version folder of `m2trec_predict`.
        catalogue: of the model.
        train: its training sessions.
        weights: of the mixture.
    """
    np.save(folder / NEIGHBOUR_ROWS, train.rows.astype(np.int32))
    np.save(folder / NEIGHBOUR_OFFSETS, train.offsets)
    if train.is_target is not None:
        np.save(folder / NEIGHBOUR_TARGETS, train.is_target)
    if weights["trend"] and (trends := trends_of(catalogue)) is not None:
        np.save(folder / NEIGHBOUR_TRENDS, trends)
    for name in weights.views():
        VIEWS[name].write(folder, catalogue, train)
