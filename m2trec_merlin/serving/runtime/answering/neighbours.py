"""Neighbours of an exported model, mixed with it as in neighbours/mixture.py.

They need SciPy and pandas in the server, so this module is imported only if a model repository has neighbours
(`serving.mixture`).

Shape legend: L events of a session, R catalogue rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from weakref import WeakKeyDictionary

import numpy as np
import pyarrow.parquet as pq

from m2trec_merlin.column_names import LISTED, TRAIN_COUNT
from m2trec_merlin.contract.explanation import BOOST, TREND
from m2trec_merlin.contract.version import (
    ITEMS,
    NEIGHBOUR_OFFSETS,
    NEIGHBOUR_ROWS,
    NEIGHBOUR_TARGETS,
    NEIGHBOUR_TRENDS,
)
from m2trec_merlin.encoded import NO_ITEM
from m2trec_merlin.neighbours.mixture import Lifts
from m2trec_merlin.neighbours.pasts import ItemPasts
from m2trec_merlin.neighbours.views import Relisting, SessionView
from m2trec_merlin.neighbours.weights import VIEWS, Weights
from m2trec_merlin.scores import Lift
from m2trec_merlin.search.candidates import Base
from m2trec_merlin.serving.runtime.catalogue.served_catalogue import Listing, ServedCatalogue
from m2trec_merlin.sessions import Sessions


class ExportedNeighbours:
    """Neighbours read from a version folder of `m2trec_predict`.

    Args:
        folder: the version folder.
        weights: weights of the mixture, by name.
    """

    def __init__(self, folder: Path, weights: Mapping[str, float]) -> None:
        told = [name for name in (TRAIN_COUNT, LISTED) if name in pq.read_schema(folder / ITEMS).names]
        counts, *listed = (each.to_numpy() for each in pq.read_table(folder / ITEMS, columns=told).columns)
        self._occurrences = np.concatenate([[0], counts])
        self._listed = np.concatenate([[False], *listed]) if listed else None
        known = _known_sessions(folder)
        self._weights, self._example = Weights(**weights), known.rows[: known.lengths[:1].sum()]
        found = {name: VIEWS[name].read(folder, self._occurrences, known) for name in self._weights.views()}
        self._views = {name: view for name, view in found.items() if view is not None}
        trends = folder / NEIGHBOUR_TRENDS
        self._trends = np.load(trends) if trends.is_file() else np.zeros(len(counts) + 1, np.float32)
        self._lifts_of: WeakKeyDictionary[Listing, Lifts] = WeakKeyDictionary()

    def at_export(self) -> Lifts:
        """Return what neighbours add to the scores of the exported items."""
        return Lifts(
            self._views, ItemPasts.known(self._occurrences, self._trends, self._listed), self._weights
        )

    def prepare(self, listing: Listing) -> None:
        """Prepare the lifts of a listing, and compile the code that finds them."""
        self._of(listing).near(self._example)

    def lift(self, session: np.ndarray, catalogue: ServedCatalogue) -> Lift:
        """Return what neighbours add to scores after a session, in addition to `base`.

        Neighbours know items as they were at the export. Items that were added later have no neighbours, but
        are compared by their words; items outside of the catalogue are not compared at all. Both count as
        newly listed.

        Args:
            session: int64 [L], rows of the session; negative for items outside of the catalogue.
            catalogue: the catalogue that is searched.
        """
        return self._of(catalogue.listing).near(np.maximum(session, NO_ITEM))

    def base(self, catalogue: ServedCatalogue) -> Base:
        """Return the biases of a catalogue plus what neighbours add to rows after every session."""
        lifts, biases = self._of(catalogue.listing), catalogue.biases
        return Base(biases + _widened(lifts.background, len(biases)), _widened(lifts.newness, len(biases)))

    def lifts_of_past(self, rows: np.ndarray, catalogue: ServedCatalogue) -> dict[str, np.ndarray]:
        """Return additions to scores of rows that do not depend on the session, float32 [m], by source."""
        lifts = self._of(catalogue.listing)
        known = np.where(rows < len(lifts.background), rows, NO_ITEM)
        found = {BOOST: lifts.of_rarity[known]}
        if self._weights["trend"]:
            found[TREND] = lifts.of_trend[known]
        return found

    def _of(self, listing: Listing) -> Lifts:
        if listing not in self._lifts_of:
            self._lifts_of[listing] = self._at(listing)
        return self._lifts_of[listing]

    def _at(self, listing: Listing) -> Lifts:
        origins, items, views = listing.origins, listing.items, dict[str, SessionView](self._views)
        if len(origins) > len(self._occurrences) or not items.live[NO_ITEM + 1 :].all():
            relisting = Relisting(origins, items.live, items.titles, items.titled)
            views = {name: view.relisted(relisting) for name, view in self._views.items()}
        pasts = ItemPasts.known(self._occurrences[origins], self._trends[origins], listing.listed)
        return Lifts(views, pasts, self._weights)


def _known_sessions(folder: Path) -> Sessions:
    rows, offsets = np.load(folder / NEIGHBOUR_ROWS), np.load(folder / NEIGHBOUR_OFFSETS)
    told = folder / NEIGHBOUR_TARGETS
    return Sessions(rows.astype(np.int64), offsets, is_target=np.load(told) if told.is_file() else None)


def _widened(values: np.ndarray, n_rows: int) -> np.ndarray:
    """Extend values to `n_rows` rows; the added rows, of which nothing is known, get the value of NO_ITEM."""
    outside = n_rows - len(values)
    return np.append(values, np.full(outside, values[NO_ITEM])) if outside else values
