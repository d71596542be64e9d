"""What requests are answered from: the items of a version of the catalogue, and how they are found.

Shape legend: I item width, D model width, G rows of the export, M items of the version, R = G + M rows.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from copy import copy
from pathlib import Path

import numpy as np

from m2trec_merlin.encoded import NO_ITEM
from m2trec_merlin.serving.contract.catalogue import HISTORIES, Availability, CatalogueVersion
from m2trec_merlin.serving.contract.identity import written
from m2trec_merlin.serving.contract.version import (
    BIASES,
    CANDIDATE_VECTORS,
    ITEM_VECTORS,
    ITEMS,
    Description,
)
from m2trec_merlin.serving.runtime.candidates import Candidates
from m2trec_merlin.serving.runtime.indexes import open_index
from m2trec_merlin.serving.runtime.item_table import ChangedItems, Items, ItemTable
from m2trec_merlin.serving.runtime.outside import WithOutside
from m2trec_merlin.serving.runtime.similar import Directions


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


class ServedCatalogue:
    """The items of a version, and which of them may be recommended now.

    Args:
        items: as a person reads them.
        vectors: item vectors, of R rows.
        candidates: of the export.
        more: float32 [M, D], candidate vectors of the rows behind the export's.
        biases: float32 [R], of all candidates; -inf for rows that are none.
        origins: int64 [R], rows of the export whose training history each row has; NO_ITEM for none.
        availability: by id, of the items that are not available at all times.
        count: items, available or not.
        written: when the version was written, in seconds since 1970.

    Attributes:
        candidates: to be searched.
        biases: float32 [R], of the candidates; -inf for rows that may not be recommended now.
        new: int64, the rows that may be, and have no training history.
    """

    def __init__(
        self,
        items: Items,
        vectors: RowsOfVectors,
        candidates: Candidates,
        more: np.ndarray,
        biases: np.ndarray,
        origins: np.ndarray,
        availability: Mapping[str, Availability],
        count: int,
        written: float,
    ) -> None:
        self._version: ServedCatalogue | None = None
        self.items, self.vectors, self.origins = items, vectors, origins
        self.count, self.written = count, written
        self._exported, self._more, self._biases = candidates, more, biases
        self._rows = np.array([items.rows.row(item_id) for item_id in availability], np.int64)
        each = availability.values()
        self._hidden = np.array([one.hidden for one in each], bool)
        self._start = np.array([_or(one.available_from, -np.inf) for one in each], np.float64)
        self._stop = np.array([_or(one.available_until, np.inf) for one in each], np.float64)
        self._holds_until = -np.inf
        self.come_to(time.time())

    @property
    def version(self) -> ServedCatalogue:
        """This catalogue, without items that a request brings along."""
        return self if self._version is None else self._version

    @property
    def n_rows(self) -> int:
        """R."""
        return len(self._biases)

    def come_to(self, now: float) -> None:
        """Let that be recommended which is available at a time, in seconds since 1970; times only rise."""
        if now < self._holds_until:
            return
        closed = self._hidden | (now < self._start) | (now >= self._stop)
        self.biases = self._biases.copy()
        self.biases[self._rows[closed]] = -np.inf
        self.candidates = self._exported.changed(self.biases, self._more)
        self.new = np.flatnonzero((self.biases > -np.inf) & (self.items.shares == 0))
        times = np.concatenate([self._start, self._stop])
        self._holds_until = float(times[times > now].min(initial=np.inf))

    def with_outside(
        self, item_ids: Sequence[str], vectors: np.ndarray, biases: np.ndarray
    ) -> ServedCatalogue:
        """Return it with other items behind its own, which have no training history: for one request.

        Args:
            item_ids: that it does not have.
            vectors: float32 [items, D], of these as candidates.
            biases: float32 [items].
        """
        wider = copy(self)
        wider._version = self.version
        wider.items = WithOutside(self.items, item_ids)
        wider.biases = np.concatenate([self.biases, biases])
        wider.candidates = self._exported.changed(wider.biases, np.concatenate([self._more, vectors]))
        wider.new = np.concatenate([self.new, np.arange(len(self.biases), len(wider.biases))])
        wider.origins = np.concatenate([self.origins, np.full(len(item_ids), NO_ITEM)])
        return wider


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

    def as_exported(self) -> ServedCatalogue:
        """Return it as it was before anything changed."""
        nothing = np.zeros((0, self._width), np.float32)
        vectors = RowsOfVectors(self._vectors, self._vectors[:0], self._directions)
        rows = np.arange(len(self._biases))
        count = len(rows) - 1
        return ServedCatalogue(
            self._items, vectors, self._candidates, nothing, self._biases, rows, {}, count, self._written
        )

    def changed(self, folder: Path, version: CatalogueVersion) -> ServedCatalogue:
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
        return ServedCatalogue(
            ChangedItems(self._items, more, rows, histories),
            RowsOfVectors(self._vectors, _mapped(folder / ITEM_VECTORS), self._directions),
            self._candidates,
            np.load(folder / CANDIDATE_VECTORS),
            biases,
            np.concatenate([np.arange(first), histories]),
            version.availability,
            version.items,
            version.written,
        )


def _mapped(path: Path) -> np.ndarray:
    """Map an array, not read it: several instances of a model share one copy in memory."""
    return np.asarray(np.load(path, mmap_mode="r"))


def _or(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value
