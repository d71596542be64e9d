"""What an answer says of itself: which request it answers, and from what."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields

#: The catalogue as it was exported, before anything was added to it.
EXPORTED_CATALOGUE = "0"


@dataclass(frozen=True)
class About:
    """Which request was answered, and from what.

    Attributes:
        request_id: as the client called the request, or as the server did where the client said nothing.
        model: fingerprint of the export, as in metrics and logs; equal content, equal fingerprints.
        catalogue: version of the items that could be recommended.
    """

    request_id: str
    model: str
    catalogue: str

    def to_json(self) -> str:
        """Return the JSON object of the tensor `about`."""
        return json.dumps(vars(self))

    @classmethod
    def from_json(cls, text: str) -> About:
        """Read what `to_json` wrote; what a newer server says besides is left aside."""
        said = json.loads(text)
        return cls(**{field.name: said[field.name] for field in fields(cls)})
