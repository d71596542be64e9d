"""Whose session it is, where two models are served side by side."""

from __future__ import annotations

from typing import Any

from m2trec_merlin.serving.runtime.options.base import Draft, Option

_LONGEST = 200


class SessionKey(Option[str | None]):
    """`session_key`: the same one, the same model (`side_by_side.py`); it changes nothing else."""

    name = "session_key"
    expected = f"a text of at most {_LONGEST} characters, or a whole number"
    default = None

    def fits(self, value: object) -> bool:
        """See `Option.fits`."""
        if value is None or isinstance(value, bool) or not isinstance(value, str | int):
            return value is None
        return len(value if isinstance(value, str) else hex(value)) <= _LONGEST

    def read(self, value: Any) -> str | None:
        """Return text."""
        return None if value is None else str(value)

    def apply(self, value: str | None, draft: Draft) -> None:
        """Leave the search as it is."""
