"""What a request says, as the texts of its tensors."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from m2trec_merlin.errors import RefusedError, shorten
from m2trec_merlin.serving.contract.names import EVENT_ATTRIBUTES, ITEM_ATTRIBUTES, ITEM_IDS, OPTIONS

#: An item of a session: its id, or raw attributes by column, `item_id` among them or not. What was so at that
#: event alone, such as its type, stands in a mapping of its own, `event_attributes`.
SessionItem = str | int | Mapping[str, Any]


def build_request(
    session: Sequence[SessionItem],
    top_k: int | None,
    exclude: Sequence[str | int],
    exclude_session_items: bool,
    filters: Mapping[str, Any] | None,
    new_item_boost: float | None,
    new_items: Sequence[str | int] | None,
    popularity: float | None,
    candidates: Sequence[SessionItem] | None,
    explain: bool,
    others: Mapping[str, object],
) -> dict[str, np.ndarray]:
    """Return the tensors of a request by name, bytes in object arrays [1, L] or [1, 1].

    Args are those of `RecommendationClient.recommend`; `others` are options that it has no parameter for.

    Raises:
        RefusedError: the session is one item rather than a list of items.
    """
    if isinstance(session, str | Mapping):
        raise RefusedError(f"a session is a list of items: put {shorten(repr(session), 80)} into brackets")
    options: dict[str, object] = {**others, "exclude_session_items": exclude_session_items}
    if top_k is not None:
        options["top_k"] = top_k
    if exclude:
        options["exclude"] = [str(item_id) for item_id in exclude]
    if filters:
        options["filters"] = dict(filters)
    if new_item_boost is not None:
        options["new_item_boost"] = new_item_boost
    if popularity is not None:
        options["popularity"] = popularity
    if new_items is not None:
        options["new_items"] = [str(item_id) for item_id in new_items]
    if candidates is not None:
        options["candidates"] = [dict(e) if isinstance(e, Mapping) else str(e) for e in candidates]
    if explain:
        options["explain"] = True
    items = [id_and_attributes(item) for item in session]
    events = [event_attributes_of(item) for item in session]
    return {
        ITEM_IDS: _tensor([item_id for item_id, _ in items]),
        ITEM_ATTRIBUTES: _tensor([attributes for _, attributes in items]),
        OPTIONS: _tensor([_to_json(options)]),
        # Models that read none have no such tensor.
        **({EVENT_ATTRIBUTES: _tensor(events)} if any(events) else {}),
    }


def id_and_attributes(item: SessionItem) -> tuple[str, str]:
    """Return the id of an item of a session, and its attributes as JSON; "" where it has none."""
    if not isinstance(item, Mapping):
        return str(item), ""
    attributes = dict(item)
    item_id = attributes.pop("item_id", "")
    attributes.pop(EVENT_ATTRIBUTES, None)
    return str(item_id), _to_json(attributes) if attributes else ""


def event_attributes_of(item: SessionItem) -> str:
    """Return the attributes of the event of an item of a session as JSON; "" where it has none."""
    attributes = item.get(EVENT_ATTRIBUTES) if isinstance(item, Mapping) else None
    return _to_json(attributes) if attributes else ""


def _tensor(texts: Sequence[str]) -> np.ndarray:
    return np.array([[text.encode(errors="replace") for text in texts]], dtype=object)


def _to_json(value: Any) -> str:
    # Attributes often come out of a table: NumPy's scalars and arrays know their plain form.
    return json.dumps(value, default=lambda other: other.tolist())
