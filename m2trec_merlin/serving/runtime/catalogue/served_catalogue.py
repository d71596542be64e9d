"""The items of a catalogue version with their vectors and biases, as requests are answered from them.

Shape legend: I item width, D model width, G rows of the export, M items of the version, R = G + M rows.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from m2trec_merlin.contract.catalogue import HISTORIES, Availability, CatalogueVersion
from m2trec_merlin.contract.identity import written
from m2trec_merlin.contract.version import (
    BIASES,
    CANDIDATE_VECTORS,
    ITEM_VECTORS,
    ITEMS,
    Description,
)
from m2trec_merlin.encoded import NO_ITEM
from m2trec_merlin.rows import RowsOfIds
from m2trec_merlin.search.candidates import Candidates
from m2trec_merlin.search.indexes import open_index
from m2trec_merlin.search.similar import Directions
from m2trec_merlin.serving.runtime.catalogue.item_table import Items, ItemTable, StackedItems
from m2trec_merlin.serving.runtime.catalogue.outside import OutsideItems


class RowsOfVectors:
    """Two arrays of vectors that are looked up as one, without concatenating them.

    Args:
        first: float32 [G, I], vectors of the first rows.
        more: float32 [M, I], vectors of the other rows.
        directions: directions of `first`, which all versions share.
    """

    def __init__(self, first: np.ndarray, more: np.ndarray, directions: Directions) -> None:
        self._first, self._more = first, more
        self._directions = directions, Directions(more)
        self.width: int = first.shape[1]

    def cosines(self, vector: np.ndarray) -> np.ndarray:
        """Return the cosine of each row's vector with a given vector, float32 [I] to [R]."""
        return np.concatenate([directions.cosines(vector) for directions in self._directions])

    def take(self, rows: np.ndarray) -> np.ndarray:
        """Return the vectors of rows, int64 [m] to float32 [m, I]."""
        is_more = rows >= len(self._first)
        if not is_more.any():
            return self._first[rows]
        found = np.empty((len(rows), self.width), np.float32)
        found[~is_more] = self._first[rows[~is_more]]
        found[is_more] = self._more[rows[is_more] - len(self._first)]
        return found


@dataclass(frozen=True, eq=False)
class Listing:
    """The items of a version, and their training histories.

    Attributes:
        items: ids, titles and filter columns of R rows.
        origins: int64 [R], rows of the export whose training history each row has; NO_ITEM for none.
        listed: bool [R], which items were listed after training; see `neighbours.pasts.ItemPasts`.
    """

    items: Items
    origins: np.ndarray
    listed: np.ndarray


@dataclass(frozen=True, eq=False)
class OpenVersion:
    """An opened version of the catalogue, which never changes.

    Attributes:
        listing: items of the version.
        vectors: item vectors of R rows.
        exported: candidates of the export.
        more: float32 [M, D], candidate vectors of the rows after those of the export.
        biases: float32 [R], biases of all candidates; -inf for other rows.
        availability: availability by id, for items that are not available at all times.
        count: number of items, available or not.
        written: when the version was written, in seconds since 1970.
    """

    listing: Listing
    vectors: RowsOfVectors
    exported: Candidates
    more: np.ndarray
    biases: np.ndarray
    availability: Mapping[str, Availability]
    count: int
    written: float

    @property
    def n_rows(self) -> int:
        """R, the number of rows."""
        return len(self.biases)

    @cached_property
    def _windows(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return _windows(self.listing.items.rows, self.availability)

    def at(self, now: float, later: CatalogueVersion | None = None) -> ServedCatalogue:
        """Return the catalogue with the items that may be recommended at a time.

        Args:
            now: the time in seconds since 1970.
            later: a version of another export, without whose withdrawn items the catalogue is served.
        """
        windows = [self._windows]
        if later is not None:
            windows.append(_windows(self.listing.items.rows, later.withdrawn))
        rows, starts, stops = (np.concatenate(each) for each in zip(*windows, strict=True))
        biases = self.biases.copy()
        biases[rows[(now < starts) | (now >= stops)]] = -np.inf
        times = np.concatenate([starts, stops])
        return ServedCatalogue(
            self.listing,
            self.listing.items,
            self.vectors,
            self.exported,
            self.more,
            biases,
            np.flatnonzero((biases > -np.inf) & (self.listing.items.shares == 0)),
            float(times[times > now].min(initial=np.inf)),
        )


@dataclass(frozen=True, eq=False)
class ServedCatalogue:
    """A version of the catalogue at a time, possibly with items that one request describes.

    Attributes:
        listing: items of the version.
        items: ids, titles and filter columns of the version, then those of the request.
        vectors: item vectors of the version.
        exported: candidates of the export.
        more: candidate vectors of the rows after those of the export.
        biases: float32, biases of all rows; -inf for rows that may not be recommended now.
        new: int64, rows that may be recommended and have no training history.
        holds_until: when the next item becomes available or unavailable, in seconds since 1970.
    """

    listing: Listing
    items: Items
    vectors: RowsOfVectors
    exported: Candidates
    more: np.ndarray
    biases: np.ndarray
    new: np.ndarray
    holds_until: float

    def with_outside(
        self, outside: Mapping[str, Mapping[str, Any]], vectors: np.ndarray, biases: np.ndarray
    ) -> ServedCatalogue:
        """Return the catalogue with further items, which have no training history, for one request.

        Args:
            outside: the further items, by id, as `OutsideItems` takes them.
            vectors: float32 [items, D], their candidate vectors.
            biases: float32 [items], their biases.
        """
        wider = np.concatenate([self.biases, biases])
        return replace(
            self,
            items=StackedItems(self.items, OutsideItems(outside), np.zeros(len(outside), np.float32)),
            more=np.concatenate([self.more, vectors]),
            biases=wider,
            new=np.concatenate([self.new, np.arange(len(self.biases), len(wider))]),
        )


class Clock:
    """Versions at the present time, computed again only when the availability of an item changes."""

    def __init__(self) -> None:
        self._now: WeakKeyDictionary[OpenVersion, ServedCatalogue] = WeakKeyDictionary()
        self._later: CatalogueVersion | None = None

    def look(self, version: OpenVersion, later: CatalogueVersion | None = None) -> ServedCatalogue:
        """Return a version at the present time, see `OpenVersion.at`; the clock never goes back."""
        if later is not self._later:
            self._later = later
            self._now.clear()
        now = time.time()
        found = self._now.get(version)
        if found is None or now >= found.holds_until:
            self._now[version] = found = version.at(now, later)
        return found


class ExportedCatalogue:
    """The catalogue of an export; its later versions share its large arrays.

    Args:
        folder: version folder of the second step.
        description: description of the export.
    """

    def __init__(self, folder: Path, description: Description) -> None:
        self._items = ItemTable.load(folder / ITEMS)
        self._vectors = _mapped(folder / ITEM_VECTORS)
        self._directions = Directions(self._vectors)
        self._biases = np.load(folder / BIASES)
        self._candidates = open_index(description.index, folder)
        self._width = _mapped(folder / CANDIDATE_VECTORS).shape[1]
        self._written = written(folder)

    def as_exported(self) -> OpenVersion:
        """Return the catalogue without any changes."""
        nothing = np.zeros((0, self._width), np.float32)
        vectors = RowsOfVectors(self._vectors, self._vectors[:0], self._directions)
        rows = np.arange(len(self._biases))
        return OpenVersion(
            Listing(self._items, rows, self._items.listed | (rows == NO_ITEM)),
            vectors,
            self._candidates,
            nothing,
            self._biases,
            {},
            len(rows) - 1,
            self._written,
        )

    def changed(self, folder: Path, version: CatalogueVersion) -> OpenVersion:
        """Return a version with its changes.

        Args:
            folder: folder of the version, which has to be made for this export.
            version: description of the version.
        """
        more, histories = ItemTable.load(folder / ITEMS), np.load(folder / HISTORIES)
        items = StackedItems(self._items, more, self._items.shares[histories], version.removed)
        biases = np.concatenate([self._biases, np.load(folder / BIASES)])
        biases[~items.live] = -np.inf
        origins = np.concatenate([np.arange(len(self._biases)), histories])
        return OpenVersion(
            Listing(
                items,
                origins,
                self._items.listed[origins]
                | np.isin(origins, [NO_ITEM, *self._items.rows.known(version.listed)]),
            ),
            RowsOfVectors(self._vectors, _mapped(folder / ITEM_VECTORS), self._directions),
            self._candidates,
            np.load(folder / CANDIDATE_VECTORS),
            biases,
            version.availability,
            version.items,
            version.written,
        )


def _mapped(path: Path) -> np.ndarray:
    """Memory-map an array, so that several instances of a model share one copy in memory."""
    return np.asarray(np.load(path, mmap_mode="r"))


def _windows(
    rows: RowsOfIds, availability: Mapping[str, Availability]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return rows that are not available at all times, and the starts and ends of their availability."""
    each = availability.values()
    starts = [np.inf if one.hidden else _or(one.available_from, -np.inf) for one in each]
    stops = [_or(one.available_until, np.inf) for one in each]
    found = np.array([rows.row(item_id) for item_id in availability], np.int64)
    return found, np.array(starts), np.array(stops)


def _or(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value
