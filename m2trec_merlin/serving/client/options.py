"""The options of a request, and their form in JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypedDict

from m2trec_merlin.contract.names import OPTIONS
from m2trec_merlin.serving.client.requests import SessionItem, candidate_of, id_text, listed


class RequestOptions(TypedDict, total=False):
    """Options of a request besides `top_k`; options that are left out or None have their defaults.

    Attributes:
        exclude: ids that must not be recommended.
        exclude_session_items: whether to leave out items of the session.
        filters: wanted values by column: a value, a list of values any of which will do, {"all": [...]},
            {"not": ...}, or {"min": a, "max": b}.
        candidates: the only items that may be recommended, by id, or as attributes with an `item_id`.
        popularity: factor of the popularity bias, from 1 to 0; default: 1.
        diversity: {"by": a column} with "most", the number of items that may share a value of it, or
            "weight", the cost of being similar to an item ranked before.
        new_items: ids of items without training history that count as new; default: all such items.
        new_item_boost: number added to the scores of new items; default: that of the export.
        session_key: key of the session's owner, which chooses the model where two are served.
        explain: whether to explain why the first items are in the answer.
        request_id: id of the request in the answer and in logs; default: a new one.
    """

    exclude: Sequence[str | int] | None
    exclude_session_items: bool | None
    filters: Mapping[str, Any] | None
    candidates: Sequence[SessionItem] | None
    popularity: float | None
    diversity: Mapping[str, Any] | None
    new_items: Sequence[str | int] | None
    new_item_boost: float | None
    session_key: str | int | None
    explain: bool | None
    request_id: str | None


def write_options(top_k: int | None, options: Mapping[str, object]) -> dict[str, object]:
    """Return the options of a request for JSON, without those that are None.

    Args:
        top_k: number of recommendations, or None.
        options: options by the names in `RequestOptions`; others are passed on, for a server that knows them.

    Raises:
        RefusedError: a single item is given where a list of items is wanted.
    """
    told = {"top_k": top_k, **options}
    return {
        name: _FORMS[name](name, value) if name in _FORMS else value
        for name, value in told.items()
        if value is not None
    }


def _ids(name: str, value: Any) -> list[str]:
    return [id_text(each, f"{OPTIONS}.{name}[{n}]") for n, each in enumerate(listed(name, value))]


def _items(name: str, value: Any) -> list[object]:
    return [candidate_of(each, f"{OPTIONS}.{name}[{n}]") for n, each in enumerate(listed(name, value))]


#: Functions that convert the values of options that need it for JSON.
_FORMS: dict[str, Callable[[str, Any], list[Any]]] = {
    "exclude": _ids,
    "new_items": _ids,
    "candidates": _items,
}
