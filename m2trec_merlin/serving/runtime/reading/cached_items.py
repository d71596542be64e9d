"""A cache of encoded new items, as a product page asks for the same item again and again."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from m2trec_merlin.encoded import EncodedItems

#: Approximate size in bytes of the cache of one reader of requests.
CACHE_BYTES = 100_000_000
#: Approximate bytes of a cached item: for the arrays of its attributes, and for each letter of its key.
_EACH, _A_LETTER = 10_000, 5


@dataclass(frozen=True)
class NewItem:
    """An encoded item outside of the catalogue.

    Attributes:
        encoded: encoded attributes of this item alone.
        ignored: messages on values that are of no use to the model, and why.
        values: values to filter by, by attribute: a text, a list of texts, a number, or None.
    """

    encoded: EncodedItems
    ignored: list[str]
    values: dict[str, Any] = field(default_factory=dict)


class RawItemEncoder(Protocol):
    """An encoder of items that are not in the cache; see `NewItemEncoder`."""

    def encode(self, items: Sequence[dict[str, Any]]) -> list[NewItem]:
        """Encode items, given as values by raw column, in one pass."""


class CachedItemEncoder:
    """An encoder with a cache of the most recently used items.

    Args:
        encoder: encoder of items that are not in the cache.
        columns: raw columns that the result depends on.
        most: approximate size of the cache in bytes; items that were used longest ago are dropped first.
    """

    def __init__(self, encoder: RawItemEncoder, columns: Sequence[str], most: int = CACHE_BYTES) -> None:
        self._encoder, self._columns, self._most = encoder, columns, most
        self._known: OrderedDict[str, NewItem] = OrderedDict()
        self._bytes = 0

    def encode(self, items: Sequence[dict[str, Any]]) -> list[NewItem]:
        """Encode items parsed from JSON; those that are not in the cache are encoded in one pass.

        Raises:
            M2TRecError: the encoder raises it; none of its items is cached.
        """
        keys = [key_of(item, self._columns) for item in items]
        unmet = {key: item for key, item in zip(keys, items, strict=True) if key not in self._known}
        if unmet:
            self._known.update(zip(unmet, self._encoder.encode(list(unmet.values())), strict=True))
            self._bytes += sum(map(_size, unmet))
        for key in keys:
            self._known.move_to_end(key)
        found = [self._known[key] for key in keys]
        while self._bytes > self._most:
            forgotten, _ = self._known.popitem(last=False)
            self._bytes -= _size(forgotten)
        return found


def key_of(item: Mapping[str, Any], columns: Sequence[str]) -> str:
    """Return a text that is equal for items with equal values in the given columns; null is no value."""
    return json.dumps([item.get(column) for column in columns])


def _size(key: str) -> int:
    return _EACH + _A_LETTER * len(key)
