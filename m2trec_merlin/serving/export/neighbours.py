"""The training sessions beside an exported model, to be mixed with it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
from scipy import sparse

from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.errors import DataError
from m2trec_merlin.neighbours.content_knn import word_vectors
from m2trec_merlin.neighbours.metadata_knn import first_of_equal_metadata
from m2trec_merlin.serving.contract.version import (
    NEIGHBOUR_OFFSETS,
    NEIGHBOUR_ROWS,
    NEIGHBOUR_SAME,
    NEIGHBOUR_WORDS,
)
from m2trec_merlin.sessions import Sessions


def write_neighbours(folder: Path, catalogue: Catalogue, train: Sessions, by_id: bool) -> None:
    """Write the training sessions, which items are the same to them, and the words of items if they have any.

    Args:
        folder: a version folder of `m2trec_predict`.
        catalogue: of the model.
        train: its training sessions.
        by_id: whether each item is the same as itself alone, as for a model that reads ids.
    """
    np.save(folder / NEIGHBOUR_ROWS, train.rows.astype(np.int32))
    np.save(folder / NEIGHBOUR_OFFSETS, train.offsets)
    same = np.arange(catalogue.n_rows) if by_id else first_of_equal_metadata(catalogue)
    np.save(folder / NEIGHBOUR_SAME, same)
    with suppress(DataError):
        sparse.save_npz(folder / NEIGHBOUR_WORDS, word_vectors(catalogue))
