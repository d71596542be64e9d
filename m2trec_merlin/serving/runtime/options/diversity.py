"""The option for diverse items."""

from __future__ import annotations

import json
from typing import Any

from m2trec_merlin.contract.version import Description
from m2trec_merlin.search.choosing import POOL, DiverseChoice
from m2trec_merlin.serving.runtime.notes import cut
from m2trec_merlin.serving.runtime.options.base import NUMBER, Draft, Option, is_number


class Diversity(Option[dict[str, Any] | None]):
    """`diversity`: {"by": column} with "most", how many items may share a value, or "weight", or both.

    "weight" is that of maximal marginal relevance: items are chosen one after the other, and the score of an
    item is reduced by `weight` times its largest similarity to an item chosen before. The similarity of two
    items is the share of their values that both have. The answer holds the original scores. Items are chosen
    among the best 1,000.
    """

    name = "diversity"
    expected = '{"by": a column of filters} with "most", a whole number from 1, or "weight", from 0'
    default = None
    meaning = "at most so many items that share a value, or less for those that are like one before"

    def schema(self, version: Description) -> dict[str, Any]:
        """See `Option.schema`."""
        properties = {
            "by": {"enum": list(version.filters)},
            "most": {"type": "integer", "minimum": 1, "description": "items that may share a value"},
            "weight": {**NUMBER, "minimum": 0, "description": "what likeness costs"},
        }
        required = {"required": ["by"], "minProperties": 2, "additionalProperties": False}
        return {"type": ["object", "null"], "properties": properties, **required}

    def fits(self, value: object) -> bool:
        """See `Option.fits`."""
        if value is None:
            return True
        if not isinstance(value, dict) or not {"by"} < value.keys() <= {"by", "most", "weight"}:
            return False
        most, weight = value.get("most", 1), value.get("weight", 0)
        whole = isinstance(most, int) and not isinstance(most, bool) and most >= 1
        return isinstance(value["by"], str) and whole and is_number(weight) and weight >= 0

    def problems(self, value: object, version: Description) -> list[str]:
        """Return what is wrong with a value, including an unknown column."""
        if isinstance(value, dict) and self.fits(value) and value["by"] not in version.filters:
            accepted = ", ".join(version.filters) or "none"
            by = cut(json.dumps(value["by"]))
            return [f"options.{self.name}.by: no such column {by}; accepted: {accepted}"]
        return super().problems(value, version)

    def apply(self, value: dict[str, Any] | None, draft: Draft) -> None:
        """Choose the answer among more rows than are wanted."""
        if value is not None:
            if draft.k > POOL:
                draft.notes.append(f"options.{self.name}: chooses {POOL:,} items at most")
            draft.choice = DiverseChoice(value["by"], value.get("most"), float(value.get("weight", 0)))
