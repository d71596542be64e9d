"""The option that says whose session it is, where two models are served side by side."""

from __future__ import annotations

from typing import Any

from m2trec_merlin.contract.version import Description
from m2trec_merlin.serving.runtime.bounds import MOST_DIGITS
from m2trec_merlin.serving.runtime.options.base import Draft, Option

_LONGEST = 200


class SessionKey(Option[str | None]):
    """`session_key`: sessions with the same key are answered by the same model (`side_by_side.py`)."""

    name = "session_key"
    expected = f"a text of at most {_LONGEST} characters, or a whole number"
    default = None
    meaning = "whose session it is; chooses the model where a server has two"

    def schema(self, version: Description) -> dict[str, Any]:
        """See `Option.schema`."""
        # `parse_json` refuses longer numbers.
        most = 10**MOST_DIGITS
        whole = {"minimum": -most, "maximum": most}
        return {"type": ["string", "integer", "null"], "maxLength": _LONGEST, **whole}

    def fits(self, value: object) -> bool:
        """See `Option.fits`."""
        if value is None or isinstance(value, bool) or not isinstance(value, str | int):
            return value is None
        return len(value if isinstance(value, str) else hex(value)) <= _LONGEST

    def read(self, value: Any, version: Description) -> str | None:
        """Return the key as text."""
        return None if value is None else str(value)

    def apply(self, value: str | None, draft: Draft) -> None:
        """Leave the search as it is."""
