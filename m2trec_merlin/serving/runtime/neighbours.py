"""Neighbours beside an exported model, mixed as in neighbours/mixture.py.

They bring SciPy and pandas into the server, so nothing here is imported unless a model repository has
neighbours (`serving.mixture`).

Shape legend: L events of a session, R catalogue rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from weakref import WeakKeyDictionary

import numpy as np
import pyarrow.parquet as pq
from scipy import sparse

from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.encoded import NO_ITEM
from m2trec_merlin.neighbours.background import sessions_repeat_items
from m2trec_merlin.neighbours.content_knn import Vocabulary, WordLikeness, WordVectors
from m2trec_merlin.neighbours.item_lists import ItemLists
from m2trec_merlin.neighbours.metadata_knn import MetadataKnn
from m2trec_merlin.neighbours.mixture import Lifts, View, Weights
from m2trec_merlin.neighbours.session_knn import SessionKnn
from m2trec_merlin.neighbours.views import Relisted, SessionView
from m2trec_merlin.serving.contract.version import (
    ITEMS,
    NEIGHBOUR_LISTS,
    NEIGHBOUR_OFFSETS,
    NEIGHBOUR_ROWS,
    NEIGHBOUR_SAME,
    NEIGHBOUR_TEXTS,
    NEIGHBOUR_TRENDS,
    NEIGHBOUR_VOCABULARY,
    NEIGHBOUR_WORDS,
)
from m2trec_merlin.serving.runtime.served_catalogue import ServedCatalogue
from m2trec_merlin.sessions import Sessions


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
        self._views: dict[View, SessionView] = {}
        self._words: ExportedWords | None = None
        self._weights = Weights(**weights)
        for view in self._weights.views():
            if view == "by_id":
                self._views[view] = SessionKnn(catalogue, train)
            elif view == "by_metadata":
                self._views[view] = MetadataKnn(catalogue, train, np.load(folder / NEIGHBOUR_SAME))
            elif view == "beside":
                lists = sparse.load_npz(folder / NEIGHBOUR_LISTS)
                self._views[view] = ItemLists(catalogue, train, lists)
            elif (folder / NEIGHBOUR_WORDS).is_file():
                self._words = ExportedWords(folder, sessions_repeat_items(train))
        self._occurrences = catalogue.train_counts
        trends = folder / NEIGHBOUR_TRENDS
        self._trends = np.load(trends) if trends.is_file() else np.zeros(len(counts) + 1, np.float32)
        self._lifts_of: WeakKeyDictionary[ServedCatalogue, Lifts] = WeakKeyDictionary()

    def at_export(self) -> Lifts:
        """Return what neighbours add to the items that were exported."""
        views = self._views
        if self._words is not None:
            views = {**views, "content": self._words.at_export()}
        return Lifts(views, self._occurrences, self._weights, self._trends)

    def lifts(self, session: np.ndarray, catalogue: ServedCatalogue) -> np.ndarray:
        """Return what neighbours add to all scores after a session, float32 [R].

        Items are to neighbours what they were at the export; those that came since have none, but words,
        and those outside of the catalogue have neither.

        Args:
            session: rows, int64 [L]; items outside of the catalogue are negative, and have no neighbours.
            catalogue: that is searched.
        """
        lifted = self._of(catalogue).after(np.maximum(session, NO_ITEM))
        outside = len(catalogue.origins) - len(lifted)
        return np.append(lifted, np.full(outside, lifted[NO_ITEM])) if outside else lifted

    def lifts_of_past(self, rows: np.ndarray, catalogue: ServedCatalogue) -> np.ndarray:
        """Return what is added to the scores of rows for their rarity and trend, float32 [m]."""
        lifted = self._of(catalogue).of_past
        return lifted[np.where(rows < len(lifted), rows, NO_ITEM)]

    def _of(self, catalogue: ServedCatalogue) -> Lifts:
        version = catalogue.version
        if version not in self._lifts_of:
            views, origins = self._views, version.origins
            if version.n_rows > len(self._occurrences):
                views = {name: Relisted(view, origins) for name, view in views.items()}
            if self._words is not None:
                views = {**views, "content": self._words.of(version)}
            occurrences, trends = self._occurrences[origins], self._trends[origins]
            self._lifts_of[version] = Lifts(views, occurrences, self._weights, trends)
        return self._lifts_of[version]


class ExportedWords:
    """The words of items, by version of the catalogue: titles that came are read as the export read its own.

    Args:
        folder: a version folder of `m2trec_predict`.
        repeats: whether a session's own items are like it.
    """

    def __init__(self, folder: Path, repeats: bool) -> None:
        self._repeats = repeats
        self._exported = WordVectors(
            sparse.load_npz(folder / NEIGHBOUR_WORDS), np.load(folder / NEIGHBOUR_TEXTS).astype(np.int64)
        )
        self._vocabulary: Vocabulary | None = None
        if (path := folder / NEIGHBOUR_VOCABULARY).is_file():
            table = pq.read_table(path)
            self._vocabulary = Vocabulary(table.column("word").to_pylist(), table.column("idf").to_numpy())

    def at_export(self) -> WordLikeness:
        """Return the likeness of the items that were exported."""
        return WordLikeness(self._exported, self._repeats)

    def of(self, version: ServedCatalogue) -> WordLikeness:
        """Return the likeness of a version's items."""
        exported = self._exported
        more = np.arange(len(exported.text_of), version.n_rows)
        if self._vocabulary is None:
            words = WordVectors(exported.texts, exported.text_of[version.origins])
        else:
            vectors = self._vocabulary.vectors(version.items.titles(more))
            texts = exported.texts.shape[0] + np.arange(len(more))
            words = WordVectors(
                sparse.vstack([exported.texts, vectors]).tocsr(), np.concatenate([exported.text_of, texts])
            )
        return WordLikeness(words, self._repeats)
