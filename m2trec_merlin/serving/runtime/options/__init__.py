"""The options of a request, such as how many recommendations and which items may be among them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from m2trec_merlin.contract.version import Description
from m2trec_merlin.errors import RefusedError
from m2trec_merlin.serving.runtime.notes import cut
from m2trec_merlin.serving.runtime.options.amount import TopK
from m2trec_merlin.serving.runtime.options.base import Draft, Need, Option
from m2trec_merlin.serving.runtime.options.diversity import Diversity
from m2trec_merlin.serving.runtime.options.exclusions import Exclude, ExcludeSessionItems
from m2trec_merlin.serving.runtime.options.explaining import Explain
from m2trec_merlin.serving.runtime.options.filters import Filters
from m2trec_merlin.serving.runtime.options.identity import RequestId
from m2trec_merlin.serving.runtime.options.newness import NewItemBoost, NewItems
from m2trec_merlin.serving.runtime.options.popularity import Popularity
from m2trec_merlin.serving.runtime.options.reranking import Candidates
from m2trec_merlin.serving.runtime.options.session_key import SessionKey
from m2trec_merlin.serving.runtime.request_json import parse_json

__all__ = [
    "OPTIONS",
    "Draft",
    "Option",
    "apply_options",
    "check_options",
    "needs_of",
    "options_schema",
    "without_effect",
]

#: All options, in the order in which they are applied.
OPTIONS: tuple[Option[Any], ...] = (
    RequestId(),
    TopK(),
    Exclude(),
    ExcludeSessionItems(),
    Filters(),
    Candidates(),
    Popularity(),
    Diversity(),
    NewItems(),
    NewItemBoost(),
    SessionKey(),
    Explain(),
)
_BY_NAME = {option.name: option for option in OPTIONS}


def check_options(text: str, version: Description) -> dict[str, Any]:
    """Return all options of a request, checked; an option that it does not give has its default.

    Args:
        text: the options as a JSON object, or an empty string for all defaults.
        version: description of the export that answers.

    Raises:
        RefusedError: the text is not a JSON object, or options are unknown or of the wrong form; names all.
    """
    return check_read_options(parse_json(text, "options") if text else {}, version)


def check_read_options(raw: object, version: Description) -> dict[str, Any]:
    """Do the same as `check_options` with options that are parsed already."""
    if not isinstance(raw, dict):
        raise RefusedError("options: expected a JSON object")
    problems = []
    for name, value in raw.items():
        if name in _BY_NAME:
            problems += _BY_NAME[name].problems(value, version)
        else:
            problems.append(f"options.{cut(name)}: no such option; accepted: {', '.join(_BY_NAME)}")
    if problems:
        raise RefusedError("; ".join(problems))
    read = {name: _BY_NAME[name].read(value, version) for name, value in raw.items()}
    return {**_defaults(version), **read}


def needs_of(options: Mapping[str, Any]) -> frozenset[Need]:
    """Return what the second step needs for the checked options of a request."""
    return frozenset().union(*(option.needs for option in OPTIONS if options[option.name]))


def options_schema(version: Description) -> dict[str, Any]:
    """Return the JSON Schema of the options of a request, with descriptions and defaults."""
    defaults = _defaults(version)
    properties = {
        option.name: {
            "description": option.meaning or option.expected,
            "default": defaults[option.name],
            **option.schema(version),
        }
        for option in OPTIONS
    }
    return {"type": "object", "properties": properties, "additionalProperties": False}


def without_effect(options: dict[str, Any], version: Description) -> list[str]:
    """Return the names of the options that a request sets but that have no effect without the model."""
    usual = _defaults(version)
    return [each.name for each in OPTIONS if each.needs_model and options[each.name] != usual[each.name]]


def apply_options(options: dict[str, Any], draft: Draft) -> None:
    """Apply checked options to a search."""
    for option in OPTIONS:
        option.apply(options[option.name], draft)


def _defaults(version: Description) -> dict[str, Any]:
    return {option.name: version.defaults.get(option.name, option.default) for option in OPTIONS}
