"""Why an item is recommended."""

from __future__ import annotations

from m2trec_merlin.serving.runtime.options.base import Draft, Option


class Explain(Option[bool]):
    """`explain`: whether the answer says of its items why they are in it (`explaining.py`)."""

    name = "explain"
    expected = "true or false"
    default = False

    def fits(self, value: object) -> bool:
        """See `Option.fits`."""
        return isinstance(value, bool)

    def apply(self, value: bool, draft: Draft) -> None:
        """Leave the search as it is."""
