"""Ids, titles and filter columns of the items of a catalogue."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from m2trec_merlin.artifacts import reading
from m2trec_merlin.column_names import ITEM_ID, LISTED, TRAIN_COUNT
from m2trec_merlin.contract.about import EXPORTED_CATALOGUE
from m2trec_merlin.contract.catalogue import CatalogueVersion, catalogue_folder, current_version
from m2trec_merlin.contract.names import PREDICT
from m2trec_merlin.contract.repository import version_folder
from m2trec_merlin.contract.version import ITEMS, OWN_COLUMNS
from m2trec_merlin.encoded import NO_ITEM
from m2trec_merlin.rows import RowsOfIds
from m2trec_merlin.serving.runtime.notes import name_some
from m2trec_merlin.spelling import spell_json

T = TypeVar("T")


class Texts:
    """A text for each row, read from Arrow's memory, as Arrow itself is slow for single values."""

    def __init__(self, column: pa.ChunkedArray) -> None:
        self._texts = texts = _combined(column.cast(pa.large_string()))
        _, offsets, letters = texts.buffers()
        self._bounds = np.frombuffer(offsets, np.int64)[texts.offset : texts.offset + len(texts) + 1]
        self._letters = memoryview(letters) if letters is not None else memoryview(b"")

    def of(self, rows: np.ndarray) -> list[str]:
        """Return the texts of rows, "" for a missing one."""
        starts, stops = self._bounds[rows - 1].tolist(), self._bounds[rows].tolist()
        return [str(self._letters[a:b], "utf-8") for a, b in zip(starts, stops, strict=True)]

    def having(self, texts: Sequence[str]) -> np.ndarray:
        """Return the rows that have any of some texts, int64."""
        found = pc.is_in(self._texts, value_set=pa.array(texts, pa.large_string()))
        return _numbers(pc.indices_nonzero(found), np.int64) + 1


def _combined(column: pa.ChunkedArray) -> pa.Array:
    array = column.combine_chunks()
    return pa.concat_arrays(array.chunks) if isinstance(array, pa.ChunkedArray) else array


def _there(array: pa.Array) -> tuple[pa.Array, np.ndarray]:
    """Return the values of an array that are not null, and their positions, int64."""
    return array.drop_null(), _numbers(pc.indices_nonzero(array.is_valid()), np.int64)


def _numbers(array: pa.Array, kind: type[np.number]) -> np.ndarray:
    """Return the numbers of an array without nulls from Arrow's memory; `to_numpy` would import pandas."""
    numbers = array.cast(pa.from_numpy_dtype(kind))
    values = np.frombuffer(numbers.buffers()[1] or b"", kind)
    return values[numbers.offset : numbers.offset + len(numbers)]


class TextColumn:
    """A filter column of texts, one or several per item: an item passes if it has any wanted value."""

    def __init__(self, column: pa.ChunkedArray) -> None:
        texts, places = _there(_combined(column))
        rows = places + 1
        if pa.types.is_list(texts.type):
            lengths = _numbers(pc.list_value_length(texts), np.int32)
            texts, places = _there(texts.flatten())
            rows = np.repeat(rows, lengths)[places]
        codes = texts.dictionary_encode()
        self._texts: list[str] = codes.dictionary.to_pylist()
        self._code_of = {text: code for code, text in enumerate(self._texts)}
        self._rows, self._codes = rows, _numbers(codes.indices, np.int32)
        #: The rows sorted by value, and where the rows of each value begin.
        self._sorted = rows[np.argsort(self._codes, kind="stable")].astype(np.int32)
        self._starts = np.searchsorted(np.sort(self._codes), np.arange(len(self._texts) + 1))

    def passing(self, wanted: Any, mask: np.ndarray, live: np.ndarray) -> list[Any]:
        """Set `mask` [R] for items with a wanted value: a scalar or a list of scalars.

        Returns:
            The wanted values that no row in `live` [R] has, as they were written.
        """
        values = wanted if isinstance(wanted, list) else [wanted]
        unknown = []
        for value in values:
            rows = self._having(spell_json(value))
            mask[rows] = True
            if not live[rows].any():
                unknown.append(value)
        return unknown

    def _having(self, text: str) -> np.ndarray:
        code = self._code_of.get(text)
        return self._sorted[:0] if code is None else self._sorted[self._starts[code] : self._starts[code + 1]]

    def values(self, rows: np.ndarray) -> list[tuple[Hashable, ...]]:
        """Return the values that each of the rows has."""
        bounds = zip(*(np.searchsorted(self._rows, rows, side) for side in ("left", "right")), strict=True)
        return [tuple(self._texts[code] for code in self._codes[start:stop]) for start, stop in bounds]


class NumberColumn:
    """A filter column of numbers: an item passes if it has a wanted value or lies within min and max."""

    def __init__(self, column: pa.ChunkedArray) -> None:
        numbers, places = _there(_combined(column))
        self._values = np.full(len(column), np.nan)
        self._values[places] = _numbers(numbers, np.float64)

    def passing(self, wanted: Any, mask: np.ndarray, live: np.ndarray) -> list[Any]:
        """Set `mask` [R] for items that pass: a number, a list of numbers, or {"min": a, "max": b}.

        Returns:
            The wanted values that no row in `live` [R] has, as they were written.
        """
        if isinstance(wanted, dict):
            at_least, at_most = wanted.get("min", -np.inf), wanted.get("max", np.inf)
            mask[1:] = (self._values >= at_least) & (self._values <= at_most)
            return []
        values = wanted if isinstance(wanted, list) else [wanted]
        numbers = np.array(values, np.float64)
        mask[1:] = np.isin(self._values, numbers)
        found = np.isin(numbers, self._values[mask[1:] & live[1:]])
        return [value for value, known in zip(values, found, strict=True) if not known]

    def values(self, rows: np.ndarray) -> list[tuple[Hashable, ...]]:
        """Return the value that each of the rows has, if any."""
        return [() if math.isnan(value) else (value,) for value in self._values[rows - 1].tolist()]


class Items:
    """Ids, titles and filter columns of all items of a catalogue.

    Attributes:
        rows: the R rows by id.
        shares: float32 [R], share of the training events that are of each item; 0 for NO_ITEM.
        live: bool [R], which rows are items: not NO_ITEM, and not rows of items that were removed or that
            have another row now.
    """

    rows: RowsOfIds
    shares: np.ndarray
    live: np.ndarray

    def ids(self, rows: np.ndarray) -> list[str]:
        """Return the ids of rows."""
        raise NotImplementedError

    def titles(self, rows: np.ndarray) -> list[str]:
        """Return the titles of rows."""
        raise NotImplementedError

    def titled(self, titles: Sequence[str]) -> np.ndarray:
        """Return the rows, live or not, that have any of some titles, int64."""
        raise NotImplementedError

    def match(self, name: str, wanted: Any, live: np.ndarray) -> tuple[np.ndarray, list[Any]]:
        """Return which rows have a wanted value in a column, and the values that no item has.

        Args:
            name: name of the column.
            wanted: wanted value or values, as in the option `filters`.
            live: which of the rows are items where these items are part of a catalogue, bool [R].

        Returns:
            bool [R], for rows that are live or not, and the values that no live row has.
        """
        raise NotImplementedError

    def values(self, name: str, rows: np.ndarray) -> list[tuple[Hashable, ...]]:
        """Return the values of rows, int64 [m], in a column: a tuple for each row, empty without a value."""
        raise NotImplementedError

    def passing(self, name: str, wanted: Any, where: str, notes: list[str]) -> np.ndarray:
        """Return which rows have a wanted value in a column, bool [R].

        Args:
            name: name of the column.
            wanted: wanted value or values, as in the option `filters`.
            where: name of the filter in warnings.
            notes: list of warnings, to which wanted values that no item has are added.
        """
        mask, unknown = self.match(name, wanted, self.live)
        if unknown:
            notes.append(f"{where}: no item has the value {name_some(unknown)}")
        return mask


class ItemTable(Items):
    """The items of an exported table; line i is row i + 1.

    Attributes:
        listed: bool [R], which items were listed too late for training to see them sell.
    """

    def __init__(self, table: pa.Table) -> None:
        self._ids = Texts(table.column(ITEM_ID))
        self._titles = Texts(table.column("title"))
        counts = _numbers(_combined(table.column(TRAIN_COUNT)), np.float64)
        self.shares = np.concatenate([[0.0], counts / max(counts.sum(), 1.0)]).astype(np.float32)
        self.rows = RowsOfIds(table.column(ITEM_ID).to_pylist())
        self.live = np.arange(len(self.shares)) != NO_ITEM
        self.listed = np.zeros(len(self.shares), bool)
        if LISTED in table.column_names:
            self.listed[1:] = _combined(table.column(LISTED)).to_numpy(zero_copy_only=False)
        self._columns: dict[str, TextColumn | NumberColumn] = {}
        for name in table.column_names:
            if name not in (*OWN_COLUMNS, LISTED):
                column = table.column(name)
                numeric = pa.types.is_floating(column.type)
                self._columns[name] = NumberColumn(column) if numeric else TextColumn(column)

    @classmethod
    def load(cls, path: Path, columns: Sequence[str] | None = None) -> ItemTable:
        """Read the Parquet file of an export or a version, or some columns of it."""
        # `read_table` would import pandas, which takes a second and is not needed here.
        return cls(pq.ParquetFile(path).read(columns))

    def ids(self, rows: np.ndarray) -> list[str]:
        """See `Items.ids`."""
        return self._ids.of(rows)

    def titles(self, rows: np.ndarray) -> list[str]:
        """See `Items.titles`."""
        return self._titles.of(rows)

    def titled(self, titles: Sequence[str]) -> np.ndarray:
        """See `Items.titled`."""
        return self._titles.having(titles)

    def match(self, name: str, wanted: Any, live: np.ndarray) -> tuple[np.ndarray, list[Any]]:
        """See `Items.match`."""
        mask = np.zeros(len(self.shares), bool)
        return mask, self._columns[name].passing(wanted, mask, live)

    def values(self, name: str, rows: np.ndarray) -> list[tuple[Hashable, ...]]:
        """See `Items.values`."""
        return self._columns[name].values(rows)


class StackedItems(Items):
    """The items of a catalogue followed by further items, without copying the large arrays.

    Args:
        before: the first items, with R rows.
        more: the further items; their row i becomes row R - 1 + i, since their row NO_ITEM is no item. They
            take the place of first items with the same ids.
        shares: float32, shares of the further items, see `Items`.
        removed: ids of first items that are removed.
    """

    def __init__(self, before: Items, more: Items, shares: np.ndarray, removed: Collection[str] = ()) -> None:
        self._before, self._more = before, more
        self._first = len(before.shares)
        ids = more.ids(np.arange(NO_ITEM + 1, len(more.shares)))
        self.rows = before.rows.changed(removed, self._first, ids)
        self.shares = np.concatenate([before.shares, shares])
        self.live = np.concatenate([before.live, more.live[1:]])
        self.live[before.rows.known([*removed, *ids])] = False

    def ids(self, rows: np.ndarray) -> list[str]:
        """See `Items.ids`."""
        return self._each(rows, lambda items, own: items.ids(own))

    def titles(self, rows: np.ndarray) -> list[str]:
        """See `Items.titles`."""
        return self._each(rows, lambda items, own: items.titles(own))

    def titled(self, titles: Sequence[str]) -> np.ndarray:
        """See `Items.titled`."""
        more = self._more.titled(titles) + self._first - 1
        return np.concatenate([self._before.titled(titles), more])

    def match(self, name: str, wanted: Any, live: np.ndarray) -> tuple[np.ndarray, list[Any]]:
        """See `Items.match`."""
        before, unknown = self._before.match(name, wanted, live[: self._first])
        # Row i of the further items is row first - 1 + i; nothing has a value in their row NO_ITEM.
        more, also = self._more.match(name, wanted, live[self._first - 1 :])
        return np.concatenate([before, more[1:]]), [value for value in unknown if value in also]

    def values(self, name: str, rows: np.ndarray) -> list[tuple[Hashable, ...]]:
        """See `Items.values`."""
        return self._each(rows, lambda items, own: items.values(name, own))

    def _each(self, rows: np.ndarray, ask: Callable[[Items, np.ndarray], list[T]]) -> list[T]:
        others = rows >= self._first
        if not others.any():
            return ask(self._before, rows)
        found = iter(ask(self._before, rows[~others]))
        also = iter(ask(self._more, rows[others] - self._first + 1))
        return [next(also) if other else next(found) for other in others.tolist()]


def current_titles(repository: Path, item_ids: Iterable[str]) -> dict[str, str]:
    """Return the titles, by id, of those items that the current version of a repository's catalogue has.

    Raises:
        ArtifactError: files are missing or damaged.
    """
    items: Items = _titled(version_folder(repository, PREDICT) / ITEMS, "export")
    folder = catalogue_folder(repository)
    if (number := current_version(folder)) != EXPORTED_CATALOGUE:
        more = _titled(folder / number / ITEMS, "catalog rollback")
        items = StackedItems(items, more, more.shares[1:], CatalogueVersion.read(folder / number).removed)
    known = [item_id for item_id in item_ids if item_id in items.rows]
    return dict(zip(known, items.titles(np.array(items.rows.known(known), np.int64)), strict=True))


def _titled(path: Path, verb: str) -> ItemTable:
    with reading(path, verb):
        return ItemTable.load(path, OWN_COLUMNS)
