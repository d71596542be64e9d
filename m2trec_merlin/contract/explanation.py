"""Explanations of why an item is in an answer."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields

#: Possible reasons, each tested by leaving it out: attributes of the session's items; similar sessions and
#: words; `new_item_boost` and the lift of rare, new and newly listed items; recent sales beside an item's
#: overall share; the bias of items that are in the session already.
METADATA, NEIGHBOURS, BOOST, TREND, REPEAT = "metadata", "neighbours", "boost", "trend", "repeat"
#: The reason of an item whose score does not fall without any of those.
POPULARITY = "popularity"


@dataclass(frozen=True)
class Explanation:
    """What an item's score would lose without each possible reason.

    Attributes:
        event: position in the request's `item_ids` of the event without which the score would fall most; None
            if it would not fall without any event.
        event_fall: the fall of the score without this event; None also for the only event of a session, as
            an empty session has no scores.
        attribute: the attribute of this event's item that mattered most; None if none did.
        attribute_fall: the fall of the score if this attribute were missing.
        by: key of the largest of `falls`, or "popularity" if none is above 0.
        falls: the fall of the score without "metadata", "neighbours", "boost", "trend" and "repeat"; no entry
            for what neither the export nor the request has.
    """

    event: int | None
    event_fall: float | None
    attribute: str | None
    attribute_fall: float | None
    by: str
    falls: dict[str, float] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return one JSON object of the tensor `explanations`."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Explanation:
        """Read what `to_json` wrote; further entries of a newer server are ignored."""
        said = json.loads(text)
        return cls(**{each.name: said[each.name] for each in fields(cls)})
