"""Why an item is in an answer."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields

#: What may have brought an item into an answer, each checked by leaving it out: attributes of the session's
#: items; sessions and words like this one; `new_item_boost` and the lift of rare and of newly listed items;
#: sales of late, beside an item's share of all; the bias of items that come back.
METADATA, NEIGHBOURS, BOOST, TREND, REPEAT = "metadata", "neighbours", "boost", "trend", "repeat"
#: None of these.
POPULARITY = "popularity"


@dataclass(frozen=True)
class Explanation:
    """What an item's score would lose without each of its reasons.

    Attributes:
        event: place in the request's `item_ids` of the event without which the score would fall most; None if
            it would not fall without any.
        event_fall: by how much; None also if it is the only event, without which nothing is left to compare.
        attribute: of this event's item, the one that mattered most; None if none did.
        attribute_fall: by how much the score would fall if it were missing.
        by: the largest of `falls`, or "popularity" if none is above 0.
        falls: by how much the score would fall without "metadata", "neighbours", "boost", "trend" and
            "repeat", those that there are.
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
        """Read what `to_json` wrote; what a newer server says besides is left aside."""
        said = json.loads(text)
        return cls(**{each.name: said[each.name] for each in fields(cls)})
