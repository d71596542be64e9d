"""The option for how much popularity counts."""

from __future__ import annotations

from typing import Any

import numpy as np

from m2trec_merlin.contract.explanation import POPULARITY
from m2trec_merlin.contract.version import Description
from m2trec_merlin.serving.runtime.options.base import Draft, Option, is_number


class Popularity(Option[float]):
    """`popularity`: a factor for each item's popularity bias, from 1, as trained, down to 0.

    The bias of an item without training history, expected from its metadata, is scaled in the same way.
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
        """Add the negative of the part of each bias that is not to count."""
        if value == 1:
            return
        rows = np.flatnonzero(np.isfinite(draft.biases) & (draft.biases != 0))
        if not len(rows):
            draft.notes.append(f"options.{self.name}: ignored, since this model has no popularity bias")
            return
        draft.additions[POPULARITY] = rows, draft.biases[rows] * np.float32(value - 1)
