"""The option that filters items by their values."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np

from m2trec_merlin.contract.version import Description
from m2trec_merlin.encoded import NO_ITEM
from m2trec_merlin.serving.runtime.notes import cut
from m2trec_merlin.serving.runtime.options.base import NUMBER, SCALAR, Draft, Option
from m2trec_merlin.spelling import number_in

_ALL, _NOT = "all", "not"
_BOUNDS = ("min", "max")


class Filters(Option[dict[str, Any]]):
    """`filters`: wanted values by column.

    For each column, either a value, a list of values any of which will do, or an object all of whose entries
    must hold: {"all": [...]} for items with all of these values, {"not": filter} for items that do not pass
    the filter (including items without a value), and for numbers {"min": a, "max": b}.
    """

    name = "filters"
    expected = "an object of wanted values by column"
    default: dict[str, Any] = {}
    meaning = "only items with these values"

    def schema(self, version: Description) -> dict[str, Any]:
        """See `Option.schema`."""
        columns = {name: _schema(name, numeric=bool(mark)) for name, mark in version.filters.items()}
        return {"type": "object", "properties": columns, "additionalProperties": False}

    def fits(self, value: object) -> bool:
        """See `Option.fits`."""
        return isinstance(value, dict)

    def problems(self, value: object, version: Description) -> list[str]:
        """Return all unknown columns and unusable values."""
        if not isinstance(value, dict):
            return super().problems(value, version)
        found = (self._problem(name, wanted, version) for name, wanted in value.items())
        return [problem for problem in found if problem is not None]

    def _problem(self, name: str, wanted: object, version: Description) -> str | None:
        where = f"options.filters.{cut(name)}"
        if name not in version.filters:
            return f"{where}: no such column; accepted: {', '.join(version.filters) or 'none'}"
        mark = version.filters[name]
        if _fits(wanted, mark):
            return None
        what = "a number, a list of numbers, or" if mark else "a value, a list of values, or"
        keys = "min, max, all or not" if mark else "all or not"
        return f"{where}: expected {what} an object with {keys}, found {cut(json.dumps(wanted))}"

    def read(self, value: Any, version: Description) -> dict[str, Any]:
        """Convert numbers that are written as text, as in tables, to numbers."""
        marks = ((name, version.filters[name]) for name in value)
        return {name: _numbers_in(value[name], mark) if mark else value[name] for name, mark in marks}

    def apply(self, value: dict[str, Any], draft: Draft) -> None:
        """Allow only items that pass the filter of every column."""
        for name, wanted in value.items():
            passing = _passing(draft, name, wanted)
            draft.allowed = passing if draft.allowed is None else draft.allowed & passing


def _schema(name: str, numeric: bool) -> dict[str, Any]:
    """Return the JSON Schema of a column's filter; for numbers, bounds come first, else a list of values."""
    value: dict[str, Any] = {"type": ["number", "string"]} if numeric else {**SCALAR, "attribute": name}
    bounds = dict.fromkeys(_BOUNDS, NUMBER) if numeric else {}
    exact = {"minProperties": 1, "additionalProperties": False}
    within = [{"type": "object", "properties": bounds, **exact}] if numeric else []
    others = {
        _ALL: {"type": "array", "items": value, "minItems": 1},
        _NOT: {},
        **dict.fromkeys(bounds, value),
    }
    return {
        "anyOf": [
            *within,
            {"type": "array", "items": value},
            value,
            {"type": "object", "properties": others, **exact},
        ]
    }


def _passing(draft: Draft, name: str, wanted: Any) -> np.ndarray:
    """Return which rows pass a filter, bool [R]."""
    if not isinstance(wanted, dict) or not wanted.keys() & {_ALL, _NOT}:
        if nobody := _nobody(wanted):
            draft.notes.append(f"options.filters.{name}: {nobody}, so no item has it")
        return draft.items.passing(name, wanted, f"options.filters.{name}", draft.notes)
    parts = [_passing(draft, name, value) for value in wanted.get(_ALL, ())]
    if bounds := {key: bound for key, bound in wanted.items() if key in _BOUNDS}:
        parts.append(_passing(draft, name, bounds))
    if _NOT in wanted:
        others = ~_passing(draft, name, wanted[_NOT])
        others[NO_ITEM] = False
        parts.append(others)
    passing: np.ndarray = np.logical_and.reduce(parts)
    return passing


def _nobody(wanted: Any) -> str:
    """Return why no item can pass a filter; an empty text if one may."""
    if wanted == []:
        return "an empty list names no value"
    low, high = (wanted.get(key) for key in _BOUNDS) if isinstance(wanted, dict) else (None, None)
    return f"min {low:g} is above max {high:g}" if low is not None and high is not None and low > high else ""


def _fits(wanted: object, mark: str, inside_not: bool = False) -> bool:
    if not isinstance(wanted, dict):
        return _are_values(wanted if isinstance(wanted, list) else [wanted], mark)
    keys = wanted.keys()
    if not keys or keys - {_ALL, _NOT, *(_BOUNDS if mark else ())}:
        return False
    bounds = [wanted[key] for key in _BOUNDS if key in keys]
    wants_all = wanted.get(_ALL, [0] if mark else [""])
    return (
        _are_values(bounds, mark)
        and (isinstance(wants_all, list) and bool(wants_all) and _are_values(wants_all, mark))
        and (_NOT not in keys or (not inside_not and _fits(wanted[_NOT], mark, inside_not=True)))
    )


def _are_values(values: list[Any], mark: str) -> bool:
    if mark:
        return all(_number(value, mark) is not None for value in values)
    return not any(value is None or isinstance(value, list | dict) for value in values)


def _numbers_in(wanted: Any, mark: str) -> Any:
    if isinstance(wanted, list):
        return [_numbers_in(each, mark) for each in wanted]
    if isinstance(wanted, dict):
        return {key: _numbers_in(each, mark) for key, each in wanted.items()}
    return _number(wanted, mark)


def _number(value: object, mark: str) -> float | None:
    """Return a JSON value, a number or text of one, as a finite float; None if it is neither."""
    if isinstance(value, str):
        return number_in(value, mark)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
