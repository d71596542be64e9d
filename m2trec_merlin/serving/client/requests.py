"""What a request says, as the texts of its tensors."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, time
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID

import numpy as np

from m2trec_merlin.column_names import ITEM_ID
from m2trec_merlin.contract.names import EVENT_ATTRIBUTES, ITEM_ATTRIBUTES, ITEM_IDS, OPTIONS
from m2trec_merlin.errors import RefusedError, shorten
from m2trec_merlin.spelling import json_number, text_of_id

#: An item of a session: its id, or raw attributes by column, `item_id` among them or not. What was so at that
#: event alone, such as its type, stands in a mapping of its own, `event_attributes`.
SessionItem = str | int | Mapping[str, Any]

T = TypeVar("T")


def build_request(
    session: Sequence[SessionItem], options: Mapping[str, object] | None = None
) -> dict[str, np.ndarray]:
    """Return the tensors of a request by name, bytes in object arrays [1, L] or [1, 1].

    Args:
        session: its items, the latest last.
        options: as JSON has them, see `write_options`.

    Raises:
        RefusedError: one item stands where a list of items is wanted, or a value has no form in JSON.
    """
    session = in_order("a session", session)
    items = [id_and_attributes(item, f"{ITEM_IDS}[{place}]") for place, item in enumerate(session)]
    events = [event_attributes_of(item) for item in session]
    return {
        ITEM_IDS: _tensor([item_id for item_id, _ in items]),
        ITEM_ATTRIBUTES: _tensor([attributes for _, attributes in items]),
        OPTIONS: _tensor([_to_json(options or {})]),
        # Models that read none have no such tensor.
        **({EVENT_ATTRIBUTES: _tensor(events)} if any(events) else {}),
    }


def listed(what: str, items: Iterable[T]) -> list[T]:
    """Return items as a list.

    Raises:
        RefusedError: they are a single item; of a text each letter would be one. Or they are a table, of
            which each name of a column would be one.
    """
    if hasattr(items, "columns"):
        raise RefusedError(f"{what} is a list of items, not a table: take its column of ids")
    if isinstance(items, str | bytes | Mapping) or not isinstance(items, Iterable):
        raise RefusedError(f"{what} is a list of items: put {shorten(repr(items), 80)} into brackets")
    return list(items)


def in_order(what: str, items: Iterable[T]) -> list[T]:
    """Return items whose order says something as a list.

    Raises:
        RefusedError: see `listed`; or they are a set, whose order is another one in each process.
    """
    if isinstance(items, set | frozenset):
        raise RefusedError(f"{what} is a list of items in order: a set has none")
    return listed(what, items)


def id_text(item_id: object, where: str = ITEM_ID) -> str:
    """Return an id as text, "" where it is missing: in a table that is None or NaN.

    Of texts, some sources make bytes.

    Args:
        item_id: of an item.
        where: it stands, as errors say it.

    Raises:
        RefusedError: it holds several values, as no id does.
    """
    if isinstance(item_id, Iterable) and not isinstance(item_id, str | bytes):
        raise RefusedError(f"{where}: an id is a text or a whole number, not {shorten(repr(item_id), 80)}")
    # What is not itself is NaN.
    if item_id is None or type(item_id).__name__ == "NAType" or item_id != item_id:
        return ""
    if isinstance(item_id, bytes):
        return item_id.decode(errors="replace")
    return text_of_id(item_id)


def id_and_attributes(item: SessionItem, where: str = ITEM_IDS) -> tuple[str, str]:
    """Return the id of an item of a session, and its attributes as JSON; "" where it has none.

    Args:
        item: of the session.
        where: it stands, as errors say it.

    Raises:
        RefusedError: it is neither an id nor attributes, but a gap.
    """
    said = _mapping_of(item)
    if said is None:
        item_id = id_text(item, where)
        if not item_id and not isinstance(item, str | bytes):
            raise RefusedError(f"{where}: an item is an id or a mapping of attributes, not {item}")
        return item_id, ""
    attributes = {name: value for name, value in said.items() if name not in (ITEM_ID, EVENT_ATTRIBUTES)}
    return id_text(said.get(ITEM_ID), where), _to_json(attributes) if attributes else ""


def candidate_of(item: SessionItem, where: str) -> str | dict[str, Any]:
    """Return an item to be ranked as the option `candidates` has it: an id, or attributes with one.

    Args:
        item: of the list.
        where: it stands, as errors say it.

    Raises:
        RefusedError: its id is something that no id can be.
    """
    said = _mapping_of(item)
    return id_text(item, where) if said is None else {**said, ITEM_ID: id_text(said.get(ITEM_ID), where)}


def event_attributes_of(item: SessionItem) -> str:
    """Return the attributes of the event of an item of a session as JSON; "" where it has none."""
    attributes = (_mapping_of(item) or {}).get(EVENT_ATTRIBUTES)
    return _to_json(attributes) if attributes else ""


def _mapping_of(item: object) -> Mapping[str, Any] | None:
    """Return the attributes of an item, by column: a row of a table has them, too; None of an id."""
    if isinstance(item, Mapping):
        return item
    return item.to_dict() if hasattr(item, "to_dict") else None


def _tensor(texts: Sequence[str]) -> np.ndarray:
    return np.array([[text.encode(errors="replace") for text in texts]], dtype=object)


def _to_json(value: Any) -> str:
    try:
        return json.dumps(value, default=_plain)
    except (TypeError, ValueError, RecursionError) as error:
        raise RefusedError(f"{shorten(repr(value), 80)} cannot be sent: {error}") from None


def _plain(value: Any) -> Any:
    """Return a value of a table as JSON has it: what has no type there is text."""
    if type(value).__name__ in ("NAType", "NaTType"):
        return None
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, Decimal):
        # Text may have points at thousands.
        return json_number(value)
    if isinstance(value, date | time | UUID):
        return str(value)
    if isinstance(value, set | frozenset):
        return sorted(value, key=str)
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "Mm":
        # The plain form of times in nanoseconds is a number.
        return None if np.isnat(value).all() else value.astype(str).tolist()
    if isinstance(value, np.ndarray | np.generic) and value.dtype in (np.float32, np.float16):
        # As it is written: 7.1, not the 7.0999999 that is nearest to it. Tables take 16 bits as 32, too.
        return value.astype(np.float32).astype(str).astype(np.float64).tolist()
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"there is no JSON for a {type(value).__name__}")
