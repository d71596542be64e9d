"""Options that favour items without training history, at the cost of items that are known to sell."""

from __future__ import annotations

from typing import Any

import numpy as np

from m2trec_merlin.contract.explanation import BOOST
from m2trec_merlin.contract.version import Description
from m2trec_merlin.serving.runtime.notes import name_some
from m2trec_merlin.serving.runtime.options.base import (
    ID_SCHEMA,
    Draft,
    Option,
    as_ids,
    is_list_of_ids,
    is_number,
)

#: With a larger boost, float32 would keep too few digits of a score to tell new items apart.
_LARGEST = 1000


class NewItems(Option[list[str] | None]):
    """`new_items`: ids of items without training history that count as new; by default all such items."""

    name = "new_items"
    expected = "a list of item ids"
    default = None
    meaning = "items that count as new; all without training history if none is named"

    def schema(self, version: Description) -> dict[str, Any]:
        """See `Option.schema`."""
        return {"type": ["array", "null"], "items": ID_SCHEMA}

    def fits(self, value: object) -> bool:
        """See `Option.fits`."""
        return value is None or is_list_of_ids(value)

    def read(self, value: Any, version: Description) -> list[str] | None:
        """Return ids as text."""
        return None if value is None else as_ids(value)

    def apply(self, value: list[str] | None, draft: Draft) -> None:
        """Limit the new rows to those that are named."""
        if value is None:
            return
        named = np.array(draft.rows_of(value, self.name), np.int64)
        if len(old := np.setdiff1d(named, draft.new)):
            ignored = "ignored, since new are items without training history that can be recommended"
            draft.notes.append(f"options.{self.name}: {name_some(draft.items.ids(old))} {ignored}")
        draft.new, draft.new_are_named = np.intersect1d(draft.new, named), True


class NewItemBoost(Option[float]):
    """`new_item_boost`: a number that is added to the scores of new items."""

    name = "new_item_boost"
    expected = f"a number from -{_LARGEST:,} to {_LARGEST:,}"
    default = 0.0
    meaning = "added to the scores of new items"
    needs_model = True

    def schema(self, version: Description) -> dict[str, Any]:
        """See `Option.schema`."""
        return {"type": "number", "minimum": -_LARGEST, "maximum": _LARGEST}

    def fits(self, value: object) -> bool:
        """See `Option.fits`."""
        return is_number(value) and abs(value) <= _LARGEST

    def read(self, value: Any, version: Description) -> float:
        """Convert to float, since NumPy cannot add integers of more than 64 bits."""
        return float(value)

    def apply(self, value: float, draft: Draft) -> None:
        """Add it to the rows that count as new; `new_items` has been applied before."""
        if value:
            draft.additions[BOOST] = draft.new, value
        elif draft.new_are_named:
            draft.notes.append(f"options.{NewItems.name}: ignored, since {self.name} is 0")
