"""Search of a catalogue's items for a person: by words of titles, by ids, by attribute values."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from m2trec_merlin.encoded import NO_ITEM
from m2trec_merlin.errors import RefusedError
from m2trec_merlin.serving.runtime.catalogue.served_catalogue import ServedCatalogue

#: How well a word of a title matches a word of the query: it contains it, begins with it, or equals it.
_INSIDE, _BEGINS, _IS = 1, 2, 3


@dataclass(frozen=True)
class CatalogueItem:
    """An item as it is shown to a person.

    Attributes:
        item_id: the id as text.
        title: the title; the id where the catalogue has no titles.
        values: values of the shown attributes, by name; no entry for an attribute without a value.
        share: share of the training events that are of this item; 0 for an item that training never saw.
        available: whether it may be recommended now.
    """

    item_id: str
    title: str
    values: dict[str, list[Hashable]]
    share: float
    available: bool


class ItemSearch:
    """Search of one version of a catalogue.

    The constructor splits all titles into words, which takes a while.

    Args:
        catalogue: the version of the catalogue.
        columns: names of the attributes that are shown.
    """

    def __init__(self, catalogue: ServedCatalogue, columns: Sequence[str]) -> None:
        self._catalogue, self._columns = catalogue, columns
        items = catalogue.items
        self._rows = np.flatnonzero(items.live)
        self._shares = items.shares[self._rows]
        self._words = _places(items.titles(self._rows))
        named = sorted((_fold(item_id), place) for place, item_id in enumerate(items.ids(self._rows)))
        self._ids = [item_id for item_id, _ in named]
        self._places_of_ids = np.array([place for _, place in named], np.int64)
        self._values: dict[str, dict[str, int]] = {}

    def find(self, text: str, top_k: int) -> list[CatalogueItem]:
        """Return items whose title has all words of `text`, or whose id begins with it.

        Whole words rank before beginnings of words, and those before matches inside a word; ties are ordered
        by occurrences in training. Capitals and accents do not matter. Without words, all items are found.

        Raises:
            RefusedError: `text` is not a text, or `top_k` is not a whole number of at least 1.
        """
        if not isinstance(text, str):
            raise RefusedError(f"text: expected a text, found {text!r}")
        if isinstance(top_k, bool) or not isinstance(top_k, int | np.integer) or top_k < 1:
            raise RefusedError(f"top_k: expected a whole number of at least 1, found {top_k!r}")
        whole = _fold(text.strip())
        words = _split(whole)
        scores = np.zeros(len(self._rows), np.int64)
        possible = np.full(len(self._rows), bool(words) or not whole)
        for word in words:
            levels = self._levels(word)
            possible &= levels > 0
            scores += levels
        scores[~possible] = 0
        if whole:
            ends = (whole, f"{whole}\0", f"{whole}\U0010ffff")
            first, behind, last = (bisect_left(self._ids, end) for end in ends)
            possible[self._places_of_ids[first:last]] = True
            scores[self._places_of_ids[first:last]] += _BEGINS
            scores[self._places_of_ids[first:behind]] += _IS * (len(words) + 1)
        places = np.flatnonzero(possible)
        order = np.lexsort((-self._shares[places], -scores[places]))[:top_k]
        return self._items(self._rows[places[order]])

    def describe(self, item_ids: Iterable[str]) -> list[CatalogueItem | None]:
        """Return the items with these ids; None for each id that the catalogue does not have."""
        rows = [self._catalogue.items.rows.row(item_id) for item_id in item_ids]
        found = iter(self._items(np.array([row for row in rows if row != NO_ITEM], np.int64)))
        return [next(found) if row != NO_ITEM else None for row in rows]

    def values(self, column: str) -> dict[str, int]:
        """Return the values of an attribute as text, and how many items have each, the most frequent first.

        Raises:
            RefusedError: it is not one of the shown attributes.
        """
        if column not in self._columns:
            accepted = ", ".join(self._columns) or "none"
            raise RefusedError(f"attribute '{column}': items are shown without; accepted: {accepted}")
        if column not in self._values:
            values = self._catalogue.items.values(column, self._rows)
            counts = Counter(_shown(value) for each in values for value in each)
            self._values[column] = dict(counts.most_common())
        return self._values[column]

    def _levels(self, word: str) -> np.ndarray:
        """Return how well each item's title matches a word, int8 [items]; 0 if it does not."""
        levels = np.zeros(len(self._rows), np.int8)
        others = [each for each in self._words if word in each]
        for level, wanted in (
            (_INSIDE, [each for each in others if not each.startswith(word)]),
            (_BEGINS, [each for each in others if each.startswith(word) and each != word]),
            (_IS, [each for each in others if each == word]),
        ):
            for each in wanted:
                levels[self._words[each]] = level
        return levels

    def _items(self, rows: np.ndarray) -> list[CatalogueItem]:
        catalogue = self._catalogue
        columns = [(name, catalogue.items.values(name, rows)) for name in self._columns]
        return [
            CatalogueItem(
                item_id,
                title,
                {name: list(values[place]) for name, values in columns if values[place]},
                float(catalogue.items.shares[row]),
                bool(catalogue.biases[row] > -np.inf),
            )
            for place, (row, item_id, title) in enumerate(
                zip(rows, catalogue.items.ids(rows), catalogue.items.titles(rows), strict=True)
            )
        ]


def _shown(value: Hashable) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _places(titles: Sequence[str]) -> dict[str, np.ndarray]:
    """Return the positions of the titles that have each word, int64."""
    places: dict[str, list[int]] = {}
    for place, title in enumerate(titles):
        for word in set(_split(_fold(title))):
            places.setdefault(word, []).append(place)
    return {word: np.array(each, np.int64) for word, each in places.items()}


def _split(text: str) -> list[str]:
    return re.findall(r"\w+", text)


def _fold(text: str) -> str:
    """Return a text in small letters, without accents."""
    if text.isascii():
        return text.lower()
    letters = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in letters if not unicodedata.combining(letter))
