"""Messages of the recommender, split by the field of the request that each is about."""

from __future__ import annotations

import re
from dataclasses import dataclass

from m2trec_merlin.contract.names import EVENT_ATTRIBUTES, ITEM_ATTRIBUTES, ITEM_IDS, OPTIONS

_OF_ITEMS = "|".join([ITEM_IDS, ITEM_ATTRIBUTES, EVENT_ATTRIBUTES])
#: The place of a request at the start of a message: options.filters.unit price, item_ids[3],
#: item_attributes[0]. The name of a column may contain anything.
_PLACE = rf"(?:{OPTIONS}\.filters\.(?:(?!: |; ).)+|{OPTIONS}(?:\.\w+)+|{_OF_ITEMS})(?:\[\d+\])?"
_NAMED = re.compile(rf"({_PLACE}): (.*)", re.DOTALL)
_NEXT = re.compile(rf"; (?={_PLACE}: )")


@dataclass(frozen=True)
class Message:
    """A message on a field of a request.

    Attributes:
        field: place in the request, as named by the recommender; "" for the request as a whole.
        text: the message.
    """

    field: str
    text: str


def messages_of(text: str) -> list[Message]:
    """Split a text of the recommender, a warning or all mistakes of a request, into its messages."""
    found = []
    for part in _NEXT.split(text):
        named = _NAMED.fullmatch(part)
        found.append(Message(named[1], named[2]) if named else Message("", part))
    return found
