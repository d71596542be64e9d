"""Messages of the recommender, each beside the field that it is about."""

from __future__ import annotations

import re
from dataclasses import dataclass

from m2trec_merlin.contract.names import EVENT_ATTRIBUTES, ITEM_ATTRIBUTES, ITEM_IDS, OPTIONS

_OF_ITEMS = "|".join([ITEM_IDS, ITEM_ATTRIBUTES, EVENT_ATTRIBUTES])
#: How messages name a place of a request: options.filters.unit price, item_ids[3], item_attributes[0]. The
#: name of a column may hold anything.
_PLACE = rf"(?:{OPTIONS}\.filters\.(?:(?!: |; ).)+|{OPTIONS}(?:\.\w+)+|{_OF_ITEMS})(?:\[\d+\])?"
_NAMED = re.compile(rf"({_PLACE}): (.*)", re.DOTALL)
_NEXT = re.compile(rf"; (?={_PLACE}: )")


@dataclass(frozen=True)
class Message:
    """What a person is told.

    Attributes:
        field: of the request, by the name that the contract has for it; "" for the request as a whole.
        text: what is to be said of it.
    """

    field: str
    text: str


def messages_of(text: str) -> list[Message]:
    """Return the messages that one text of the recommender holds: a warning, or all mistakes of a request."""
    found = []
    for part in _NEXT.split(text):
        named = _NAMED.fullmatch(part)
        found.append(Message(named[1], named[2]) if named else Message("", part))
    return found
