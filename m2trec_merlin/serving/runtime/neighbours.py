"""Neighbours beside an exported model, mixed as in neighbours/mixture.py.

They bring SciPy and pandas into the server, so nothing here is imported unless a model repository has
neighbours (`serving.mixture`).

Shape legend: B sessions, L events of one, R catalogue rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from weakref import WeakKeyDictionary

import numpy as np
import pyarrow.parquet as pq
from scipy import sparse

from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.encoded import NO_ITEM
from m2trec_merlin.neighbours.background import sessions_repeat_items
from m2trec_merlin.neighbours.content_knn import Vocabulary, WordLikeness
from m2trec_merlin.neighbours.metadata_knn import MetadataKnn
from m2trec_merlin.neighbours.mixture import View, Weights, mix, rarity
from m2trec_merlin.neighbours.session_knn import SessionKnn
from m2trec_merlin.scores import ItemScorer
from m2trec_merlin.serving.contract.version import (
    ITEMS,
    NEIGHBOUR_OFFSETS,
    NEIGHBOUR_ROWS,
    NEIGHBOUR_SAME,
    NEIGHBOUR_VOCABULARY,
    NEIGHBOUR_WORDS,
)
from m2trec_merlin.serving.runtime.candidates import Remix
from m2trec_merlin.serving.runtime.served_catalogue import ServedCatalogue
from m2trec_merlin.sessions import Prefixes, Sessions


class ExportedNeighbours:
    """Neighbours read from a version folder of `m2trec_predict`.

    Args:
        folder: what the export wrote into.
        weights: of the mixture, by name.
    """

    def __init__(self, folder: Path, weights: Mapping[str, float]) -> None:
        counts = pq.read_table(folder / ITEMS, columns=["train_count"]).column(0).to_numpy()
        catalogue = Catalogue(np.arange(len(counts) + 1), np.concatenate([[0], counts]), {})
        rows, offsets = np.load(folder / NEIGHBOUR_ROWS), np.load(folder / NEIGHBOUR_OFFSETS)
        train = Sessions(rows.astype(np.int64), offsets)
        self._views: dict[View, ItemScorer] = {}
        self._words: Words | None = None
        wanted = Weights(**weights)
        for view in wanted.views():
            if view == "by_id":
                self._views[view] = SessionKnn(catalogue, train)
            elif view == "by_metadata":
                self._views[view] = MetadataKnn(catalogue, train, np.load(folder / NEIGHBOUR_SAME))
            elif (folder / NEIGHBOUR_WORDS).is_file():
                self._words = Words(folder, sessions_repeat_items(train))
        self._occurrences, self._weights = catalogue.train_counts, wanted

    def remixes(self, sessions: Sequence[np.ndarray], catalogue: ServedCatalogue) -> list[Remix]:
        """Return for each session what mixes the scores of the model with those of its neighbours.

        Items are to neighbours what they were at the export; those that came since have none, but words.

        Args:
            sessions: rows of each, int64 [L]; items outside of the catalogue are negative, and have no
                neighbours.
            catalogue: that is searched.
        """
        origins, rows = catalogue.origins, [np.maximum(each, NO_ITEM) for each in sessions]
        prefixes = _prefixes([origins[each] for each in rows])
        views_BR = {name: view.score(prefixes) for name, view in self._views.items()}
        if self._words is not None:
            views_BR["content"] = self._words.of(catalogue).score(_prefixes(rows))
        return [
            partial(
                self._mix_one,
                views={name: view[one] for name, view in views_BR.items()},
                origins=origins,
            )
            for one in (slice(index, index + 1) for index in range(len(rows)))
        ]

    def lift(self, rows: np.ndarray) -> np.ndarray:
        """Return what is added to the scores of rows of the export for being rare, float32 [m]."""
        lifted: np.ndarray = np.float32(self._weights.rare) * rarity(self._occurrences[rows])
        return lifted

    def _mix_one(
        self, scores: np.ndarray, views: Mapping[View, np.ndarray], origins: np.ndarray
    ) -> np.ndarray:
        seen = {name: _spread(view, origins) for name, view in views.items()}
        return mix(scores[np.newaxis], seen, self._occurrences[origins], self._weights)[0]


class Words:
    """Likeness of words, by version of the catalogue: titles that came are read as the export read its own.

    Args:
        folder: a version folder of `m2trec_predict`.
        repeats: whether a session's own items are like it.
    """

    def __init__(self, folder: Path, repeats: bool) -> None:
        self._repeats = repeats
        self._exported = WordLikeness(sparse.load_npz(folder / NEIGHBOUR_WORDS), repeats)
        self._vocabulary: Vocabulary | None = None
        if (path := folder / NEIGHBOUR_VOCABULARY).is_file():
            table = pq.read_table(path)
            self._vocabulary = Vocabulary(table.column("word").to_pylist(), table.column("idf").to_numpy())
        self._of: WeakKeyDictionary[ServedCatalogue, WordLikeness] = WeakKeyDictionary()

    def of(self, catalogue: ServedCatalogue) -> WordLikeness:
        """Return the likeness of a version's items; of those outside of it there is none."""
        version = catalogue.version
        if version not in self._of:
            self._of[version] = self._changed(version)
        return self._of[version]

    def _changed(self, version: ServedCatalogue) -> WordLikeness:
        first = self._exported.vectors.shape[0]
        more = np.arange(first, version.n_rows)
        if not len(more):
            return self._exported
        if self._vocabulary is None:
            vectors = self._exported.vectors[version.origins[more]]
        else:
            vectors = self._vocabulary.vectors(version.items.titles(more))
        return WordLikeness(sparse.vstack([self._exported.vectors, vectors]).tocsr(), self._repeats)


def _prefixes(sessions: Sequence[np.ndarray]) -> Prefixes:
    held = Sessions.from_lists([rows.tolist() for rows in sessions])
    return Prefixes(held, np.arange(len(held)), held.lengths)


def _spread(view: np.ndarray, origins: np.ndarray) -> np.ndarray:
    """Return the scores [1, R] of a catalogue's rows, given those of the export's, which stand in front."""
    more = origins[view.shape[1] :]
    return np.concatenate([view, view[:, more]], axis=1) if len(more) else view
