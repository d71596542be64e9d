"""The option for the number of recommendations."""

from __future__ import annotations

from typing import Any

from m2trec_merlin.contract.version import Description
from m2trec_merlin.serving.runtime.bounds import MOST_RECOMMENDED
from m2trec_merlin.serving.runtime.options.base import Draft, Option


class TopK(Option[int]):
    """`top_k`: the number of recommendations."""

    name = "top_k"
    expected = f"a whole number from 1 to {MOST_RECOMMENDED:,}"
    default = 20
    meaning = "recommendations wanted"

    def schema(self, version: Description) -> dict[str, Any]:
        """See `Option.schema`."""
        return {"type": "integer", "minimum": 1, "maximum": MOST_RECOMMENDED}

    def fits(self, value: object) -> bool:
        """See `Option.fits`."""
        return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MOST_RECOMMENDED

    def apply(self, value: int, draft: Draft) -> None:
        """Set the number of recommendations."""
        draft.asked = value
