"""What requests are answered from: the items of a version of the catalogue, and how they are found.

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
from m2trec_merlin.search.candidates import Candidates
from m2trec_merlin.search.indexes import open_index
from m2trec_merlin.search.similar import Directions
from m2trec_merlin.serving.runtime.catalogue.item_table import Items, ItemTable, StackedItems
from m2trec_merlin.serving.runtime.catalogue.outside import OutsideItems


class RowsOfVectors:
    """Vectors in two parts that are looked up as one.

    Args:
        first: float32 [G, I].
        more: float32 [M, I], behind them.
        directions: of the first, which versions of a catalogue share.
    """

    def __init__(self, first: np.ndarray, more: np.ndarray, directions: Directions) -> None:
        self._first, self._more = first, more
        self._directions = directions, Directions(more)
        self.width: int = first.shape[1]

    def cosines(self, vector: np.ndarray) -> np.ndarray:
        """Return the cosine of each with a vector, float32 [I] to [R]."""
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
    """The items of a version, and what they were at the export.

    Attributes:
        items: as a person reads them, of R rows.
        origins: int64 [R], rows of the export whose training history each row has; NO_ITEM for none.
        listed: bool [R], which were listed after training; see `neighbours.pasts.ItemPasts`.
    """

    items: Items
    origins: np.ndarray
    listed: np.ndarray


@dataclass(frozen=True, eq=False)
class OpenVersion:
    """A version of the catalogue, opened: nothing of it ever changes.

    Attributes:
        listing: its items.
        vectors: item vectors, of R rows.
        exported: candidates of the export.
        more: float32 [M, D], candidate vectors of the rows behind the export's.
        biases: float32 [R], of all candidates; -inf for rows that are none.
        availability: by id, of the items that are not available at all times.
        count: items, available or not.
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
        """R."""
        return len(self.biases)

    @cached_property
    def _windows(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rows that are not available at all times, from when they are, and until when."""
        rows, each = self.listing.items.rows, self.availability
        starts = [np.inf if one.hidden else _or(one.available_from, -np.inf) for one in each.values()]
        stops = [_or(one.available_until, np.inf) for one in each.values()]
        return np.array([rows.row(item_id) for item_id in each], np.int64), np.array(starts), np.array(stops)

    def at(self, now: float) -> ServedCatalogue:
        """Return what may be recommended at a time, in seconds since 1970."""
        rows, starts, stops = self._windows
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
    """What requests are answered from: a version of the catalogue at a time, with what a request brings.

    Attributes:
        listing: of the version.
        items: as a person reads them: those of the version, and behind them a request's own.
        vectors: item vectors of the version.
        exported: candidates of the export.
        more: candidate vectors of the rows behind the export's.
        biases: float32, of all rows; -inf for those that may not be recommended now.
        new: int64, the rows that may be recommended, and have no training history.
        holds_until: when another item comes or goes, in seconds since 1970.
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
        """Return it with other items behind its own, which have no training history: for one request.

        Args:
            outside: ids that it does not have, and values of their items as `OutsideItems` takes them.
            vectors: float32 [items, D], of these as candidates.
            biases: float32 [items].
        """
        wider = np.concatenate([self.biases, biases])
        return replace(
            self,
            items=StackedItems(
                self.items,
                OutsideItems(outside),
                self.items.rows.changed((), len(self.biases), list(outside)),
                np.zeros(len(outside), np.float32),
            ),
            more=np.concatenate([self.more, vectors]),
            biases=wider,
            new=np.concatenate([self.new, np.arange(len(self.biases), len(wider))]),
        )


class Clock:
    """Versions as they are now: one is looked through again only when an item of it comes or goes."""

    def __init__(self) -> None:
        self._now: WeakKeyDictionary[OpenVersion, ServedCatalogue] = WeakKeyDictionary()

    def look(self, version: OpenVersion) -> ServedCatalogue:
        """Return a version at this time; times only rise."""
        now = time.time()
        found = self._now.get(version)
        if found is None or now >= found.holds_until:
            self._now[version] = found = version.at(now)
        return found


class ExportedCatalogue:
    """The catalogue of an export, of which others share what is large.

    Args:
        folder: version folder of the second step.
        description: of the export.
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
        """Return it as it was before anything changed."""
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
        """Return a version of it.

        Args:
            folder: of the version, which was made for this export.
            version: what it says of itself.
        """
        more, histories = ItemTable.load(folder / ITEMS), np.load(folder / HISTORIES)
        first, ids = len(self._biases), more.ids(np.arange(1, len(histories) + 1))
        gone = np.array(self._items.rows.known([*version.removed, *ids]), np.int64)
        biases = np.concatenate([self._biases, np.load(folder / BIASES)])
        biases[gone] = -np.inf
        rows = self._items.rows.changed(version.removed, first, ids)
        origins = np.concatenate([np.arange(first), histories])
        return OpenVersion(
            Listing(
                StackedItems(self._items, more, rows, self._items.shares[histories]),
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
    """Map an array, not read it: several instances of a model share one copy in memory."""
    return np.asarray(np.load(path, mmap_mode="r"))


def _or(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value
