"""The option for explanations."""

from __future__ import annotations

from m2trec_merlin.serving.runtime.options.base import Draft, Flag


class Explain(Flag):
    """`explain`: whether the answer explains why its first items are in it (`answering/explaining.py`)."""

    name = "explain"
    meaning = "say why the first items are in the answer"
    needs = frozenset({"places"})

    def apply(self, value: bool, draft: Draft) -> None:
        """Leave the search as it is."""
