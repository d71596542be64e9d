"""The `about` of an answer: which request it answers, with which model and catalogue."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields

#: Number of the catalogue as it was exported, before any change.
EXPORTED_CATALOGUE = "0"


def number_of(version: str) -> str:
    """Return the number of a catalogue version, given its name within a server.

    A name is the number and the start of the version's seal. Numbers alone come again, for instance when a
    repository is removed and exported anew.
    """
    return version.partition("-")[0]


@dataclass(frozen=True)
class About:
    """Which request was answered, with which model and catalogue.

    Attributes:
        request_id: id of the request, from the client or else made by the server.
        model: fingerprint of the export, as in metrics and logs; equal content has equal fingerprints.
        catalogue: number of the catalogue version that was searched.
    """

    request_id: str
    model: str
    catalogue: str

    def to_json(self) -> str:
        """Return the JSON object of the tensor `about`."""
        return json.dumps(vars(self))

    @classmethod
    def from_json(cls, text: str) -> About:
        """Read what `to_json` wrote; further entries of a newer server are ignored."""
        said = json.loads(text)
        return cls(**{field.name: said[field.name] for field in fields(cls)})
