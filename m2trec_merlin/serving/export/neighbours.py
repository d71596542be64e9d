"""The training sessions beside an exported model, to be mixed with it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scipy import sparse

from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.errors import DataError
from m2trec_merlin.neighbours.content_knn import fit_words
from m2trec_merlin.neighbours.item_lists import lists_of
from m2trec_merlin.neighbours.metadata_knn import first_of_equal_metadata
from m2trec_merlin.neighbours.mixture import Weights, trends_of
from m2trec_merlin.serving.contract.version import (
    NEIGHBOUR_LISTS,
    NEIGHBOUR_OFFSETS,
    NEIGHBOUR_ROWS,
    NEIGHBOUR_SAME,
    NEIGHBOUR_TEXTS,
    NEIGHBOUR_TRENDS,
    NEIGHBOUR_VOCABULARY,
    NEIGHBOUR_WORDS,
)
from m2trec_merlin.sessions import Sessions


def write_neighbours(folder: Path, catalogue: Catalogue, train: Sessions, weights: Weights) -> None:
    """Write the training sessions and, as far as it counts, what else is known of the items.

    That is which metadata are equal, which items stand beside each other, words, and trends.

    Args:
        folder: a version folder of `m2trec_predict`.
        catalogue: of the model.
        train: its training sessions.
        weights: of the mixture.
    """
    views = weights.views()
    np.save(folder / NEIGHBOUR_ROWS, train.rows.astype(np.int32))
    np.save(folder / NEIGHBOUR_OFFSETS, train.offsets)
    if "by_metadata" in views:
        np.save(folder / NEIGHBOUR_SAME, first_of_equal_metadata(catalogue))
    if "beside" in views:
        sparse.save_npz(folder / NEIGHBOUR_LISTS, lists_of(train, catalogue.n_rows))
    if weights.trend and (trends := trends_of(catalogue)) is not None:
        np.save(folder / NEIGHBOUR_TRENDS, trends)
    if "content" in views:
        with suppress(DataError):
            words, vocabulary = fit_words(catalogue)
            sparse.save_npz(folder / NEIGHBOUR_WORDS, words.texts)
            np.save(folder / NEIGHBOUR_TEXTS, words.text_of.astype(np.int32))
            if catalogue.titled:
                columns = {"word": pa.array(vocabulary.words, pa.string()), "idf": vocabulary.idf}
                pq.write_table(pa.table(columns), folder / NEIGHBOUR_VOCABULARY)
