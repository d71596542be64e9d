"""New items that were encoded lately: a product page asks for the same item again and again."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from m2trec_merlin.encoded import EncodedItems

#: Bytes, about, of all that one reader of requests remembers.
MOST_REMEMBERED = 100_000_000
#: The same of an item: arrays of its attributes, and so much for each letter of its values.
_EACH, _A_LETTER = 10_000, 5


@dataclass(frozen=True)
class NewItem:
    """An item outside of the catalogue, as encoded.

    Attributes:
        encoded: this item alone.
        ignored: what of it tells the model nothing, and why.
        values: by attribute those by which items are filtered: a text, a list of texts, a number, or None.
    """

    encoded: EncodedItems
    ignored: list[str]
    values: dict[str, Any] = field(default_factory=dict)


class RawItemEncoder(Protocol):
    """What encodes items that were not met yet; see `NewItemEncoder`."""

    def encode(self, items: Sequence[dict[str, Any]]) -> list[NewItem]:
        """Encode items, given by raw column, in one pass."""


class RememberedItems:
    """Encodes each item once, as long as it is asked for.

    Args:
        encoder: of those not met yet.
        columns: raw columns on which the result depends.
        most: bytes, about, of what is remembered; those asked for longest ago are forgotten first.
    """

    def __init__(self, encoder: RawItemEncoder, columns: Sequence[str], most: int = MOST_REMEMBERED) -> None:
        self._encoder, self._columns, self._most = encoder, columns, most
        self._known: OrderedDict[str, NewItem] = OrderedDict()
        self._bytes = 0

    def encode(self, items: Sequence[dict[str, Any]]) -> list[NewItem]:
        """Encode items as JSON gives them; those not met yet in one pass.

        Raises:
            M2TRecError: as the encoder does; nothing of these items is remembered.
        """
        keys = [json.dumps([item.get(column) for column in self._columns]) for item in items]
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


def _size(key: str) -> int:
    return _EACH + _A_LETTER * len(key)
