"""How much popularity counts."""

from __future__ import annotations

from typing import Any

import numpy as np

from m2trec_merlin.contract.explanation import POPULARITY
from m2trec_merlin.contract.version import Description
from m2trec_merlin.serving.runtime.options.base import Draft, Option, is_number


class Popularity(Option[float]):
    """`popularity`: share of each item's popularity bias that counts, from 1, as trained, down to 0.

    The bias of an item without training history, what its metadata let expect, is scaled alike.
    """

    name = "popularity"
    expected = "a number from 0 to 1"
    default = 1.0
    meaning = "how much popularity counts, from 1, as trained, down to 0"
    needs_model = True

    def schema(self, version: Description) -> dict[str, Any]:
        """See `Option.schema`."""
        return {"type": "number", "minimum": 0, "maximum": 1}

    def fits(self, value: object) -> bool:
        """See `Option.fits`."""
        return is_number(value) and 0 <= value <= 1

    def apply(self, value: float, draft: Draft) -> None:
        """Take the rest of every bias away."""
        if value == 1:
            return
        rows = np.flatnonzero(np.isfinite(draft.biases) & (draft.biases != 0))
        if not len(rows):
            draft.notes.append(f"options.{self.name}: ignored, since this model has no popularity bias")
            return
        draft.additions[POPULARITY] = rows, draft.biases[rows] * np.float32(value - 1)
