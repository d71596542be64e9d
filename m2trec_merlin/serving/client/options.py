"""What may be said with a request besides its session, and how it is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypedDict

from m2trec_merlin.contract.names import OPTIONS
from m2trec_merlin.serving.client.requests import SessionItem, candidate_of, id_text, listed


class RequestOptions(TypedDict, total=False):
    """Options of a request besides `top_k`; those left out, or None, are as exported or by default.

    Attributes:
        exclude: ids that must not be recommended.
        exclude_session_items: leave out what the session holds.
        filters: wanted values by column: a value, a list of which any will do, {"all": [...]}, {"not": ...},
            or {"min": a, "max": b}.
        candidates: the only items that may be recommended, by id, or as attributes with an `item_id`.
        popularity: share of the popularity bias that counts, 1 to 0; default: 1.
        diversity: {"by": a column} with "most", items that may share a value of it, or "weight", what it
            costs to be like an item before.
        new_items: ids that count as new if they have no training history; default: all without one.
        new_item_boost: added to the scores of new items; default: as exported.
        session_key: whose session it is; chooses the model where two are served.
        explain: say of the first items why they are in the answer.
        request_id: what the answer and logs call the request; default: a new one.
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
    """Return options as the JSON of a request has them; what is None is not said.

    Args:
        top_k: recommendations wanted.
        options: by the names of `RequestOptions`; others go as they are, for a server that knows them.

    Raises:
        RefusedError: one item stands where a list of items is wanted.
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


#: How a value is written, where JSON does not have it as it is.
_FORMS: dict[str, Callable[[str, Any], list[Any]]] = {
    "exclude": _ids,
    "new_items": _ids,
    "candidates": _items,
}
