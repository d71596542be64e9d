"""The options of a request: how many recommendations, and which items may be among them."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import Any

from m2trec_merlin.errors import ServerError


@dataclass(frozen=True)
class Options:
    """What a client may ask for.

    Attributes:
        top_k: recommendations wanted.
        exclude: ids that must not be recommended.
        exclude_session_items: whether to leave out what the session holds.
        filters: wanted values by column of the catalogue.
        new_item_boost: added to the scores of new items: more of them, at the cost of items that are known
            to sell.
        new_items: ids that count as new if they have no training history; None for all without one.
    """

    top_k: int
    exclude: list[str] = field(default_factory=list)
    exclude_session_items: bool = False
    filters: dict[str, Any] = field(default_factory=dict)
    new_item_boost: float = 0.0
    new_items: list[str] | None = None


def parse_options(text: str, top_k: int, new_item_boost: float = 0.0) -> Options:
    """Read the JSON object of a request.

    Args:
        text: the JSON, or an empty string for all defaults.
        top_k: where the request does not say.
        new_item_boost: likewise.

    Raises:
        ServerError: it is not a JSON object, or fields are unknown or of the wrong type; all of them.
    """
    if not text:
        return Options(top_k, new_item_boost=new_item_boost)
    try:
        raw = json.loads(text)
    except json.JSONDecodeError as error:
        raise ServerError(f"options: not valid JSON ({error})") from None
    if not isinstance(raw, dict):
        raise ServerError("options: expected a JSON object")
    problems = [
        f"options.{name}: {_CHECKS[name][1]}, found {json.dumps(value)}"
        if name in _CHECKS
        else f"options.{name}: no such option; accepted: {', '.join(_CHECKS)}"
        for name, value in raw.items()
        if name not in _CHECKS or not _CHECKS[name][0](value)
    ]
    if problems:
        raise ServerError("; ".join(problems))
    lists = {name: [str(i) for i in raw[name]] for name in ("exclude", "new_items") if name in raw}
    defaults = {"top_k": top_k, "new_item_boost": new_item_boost}
    return Options(**{**defaults, **raw, **lists})


def _is_positive_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_finite_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_list_of_ids(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item_id, str | int) for item_id in value)


_CHECKS: dict[str, tuple[Any, str]] = {
    "top_k": (_is_positive_integer, "expected a whole number of at least 1"),
    "exclude": (_is_list_of_ids, "expected a list of item ids"),
    "exclude_session_items": (lambda value: isinstance(value, bool), "expected true or false"),
    "filters": (lambda value: isinstance(value, dict), "expected an object of wanted values by column"),
    "new_item_boost": (_is_finite_number, "expected a number"),
    "new_items": (_is_list_of_ids, "expected a list of item ids"),
}
