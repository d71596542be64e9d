"""Only items with wanted values."""

from __future__ import annotations

import json
from typing import Any

from m2trec_merlin.serving.contract.version import Description
from m2trec_merlin.serving.runtime.item_table import as_number
from m2trec_merlin.serving.runtime.notes import cut
from m2trec_merlin.serving.runtime.options.base import Draft, Option


class Filters(Option[dict[str, Any]]):
    """`filters`: wanted values by column: a value, a list of values or, of numbers, {"min": a, "max": b}."""

    name = "filters"
    expected = "an object of wanted values by column"
    default: dict[str, Any] = {}

    def fits(self, value: object) -> bool:
        """See `Option.fits`."""
        return isinstance(value, dict)

    def problems(self, value: object, version: Description) -> list[str]:
        """Return unknown columns and unusable values, all of them."""
        if not isinstance(value, dict):
            return super().problems(value, version)
        found = (self._problem(name, wanted, version) for name, wanted in value.items())
        return [problem for problem in found if problem is not None]

    def _problem(self, name: str, wanted: object, version: Description) -> str | None:
        where = f"options.filters.{cut(name)}"
        if name not in version.filters:
            return f"{where}: no such column; accepted: {', '.join(version.filters) or 'none'}"
        if version.filters[name]:
            expected, fits = 'a number, a list of numbers, or {"min": a, "max": b}', _are_numbers(wanted)
        else:
            expected, fits = "a value or a list of values", _are_scalars(wanted)
        return None if fits else f"{where}: expected {expected}, found {cut(json.dumps(wanted))}"

    def apply(self, value: dict[str, Any], draft: Draft) -> None:
        """Let only items pass that have a wanted value in every column."""
        for name, wanted in value.items():
            passing = draft.items.passing(name, wanted, f"options.filters.{name}", draft.notes)
            draft.allowed = passing if draft.allowed is None else draft.allowed & passing


def _are_numbers(wanted: object) -> bool:
    if isinstance(wanted, dict):
        values = list(wanted.values()) if wanted.keys() <= {"min", "max"} else []
        return bool(values) and all(as_number(value) is not None for value in values)
    return all(as_number(value) is not None for value in (wanted if isinstance(wanted, list) else [wanted]))


def _are_scalars(wanted: object) -> bool:
    values = wanted if isinstance(wanted, list) else [wanted]
    return not any(value is None or isinstance(value, list | dict) for value in values)
