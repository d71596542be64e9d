"""Why an item is recommended."""

from __future__ import annotations

from typing import Any

from m2trec_merlin.contract.version import Description
from m2trec_merlin.serving.runtime.options.base import Draft, Option


class Explain(Option[bool]):
    """`explain`: whether the answer says of its items why they are in it (`explaining.py`)."""

    name = "explain"
    expected = "true or false"
    default = False
    meaning = "say why the first items are in the answer"

    def schema(self, version: Description) -> dict[str, Any]:
        """See `Option.schema`."""
        return {"type": "boolean"}

    def fits(self, value: object) -> bool:
        """See `Option.fits`."""
        return isinstance(value, bool)

    def apply(self, value: bool, draft: Draft) -> None:
        """Leave the search as it is."""
