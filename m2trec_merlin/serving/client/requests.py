"""Conversion of a session and options to the tensors of a request."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, time
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID

import numpy as np

from m2trec_merlin.arrays import widen_halves
from m2trec_merlin.column_names import ITEM_ID
from m2trec_merlin.contract.names import EVENT_ATTRIBUTES, ITEM_ATTRIBUTES, ITEM_IDS, OPTIONS
from m2trec_merlin.errors import RefusedError, shorten
from m2trec_merlin.spelling import json_number, text_of_id

#: An item of a session: its id, or raw attributes by column, with or without `item_id`. Attributes of the
#: event, such as its type, are in a mapping of their own under the key `event_attributes`.
SessionItem = str | int | Mapping[str, Any]

T = TypeVar("T")

#: JSON of no attributes, as a table may hold them.
_NOTHING = ("null", "NaN", '""', "{}")


def build_request(
    session: Sequence[SessionItem], options: Mapping[str, object] | None = None
) -> dict[str, np.ndarray]:
    """Return the tensors of a request by name: bytes in object arrays [1, L] or [1, 1].

    Args:
        session: items of the session, the latest last.
        options: options in the form for JSON, see `write_options`.

    Raises:
        RefusedError: a single item is given where a list of items is wanted, or a value has no form in JSON.
    """
    session = in_order("a session", session)
    items = [id_and_attributes(item, f"{ITEM_IDS}[{place}]") for place, item in enumerate(session)]
    events = [event_attributes_of(item) for item in session]
    return {
        ITEM_IDS: _tensor([item_id for item_id, _ in items]),
        ITEM_ATTRIBUTES: _tensor([attributes for _, attributes in items]),
        OPTIONS: _tensor([_to_json(options or {})]),
        # Models that read no attributes of events do not have this tensor.
        **({EVENT_ATTRIBUTES: _tensor(events)} if any(events) else {}),
    }


def listed(what: str, items: Iterable[T]) -> list[T]:
    """Return items as a list.

    Raises:
        RefusedError: `items` is a single item, as each letter of a text would become an item; or a table, as
            each column name would become one.
    """
    if hasattr(items, "columns"):
        raise RefusedError(f"{what} is a list of items, not a table: take its column of ids")
    if isinstance(items, str | bytes | Mapping) or not isinstance(items, Iterable):
        raise RefusedError(f"{what} is a list of items: put {shorten(repr(items), 80)} into brackets")
    return list(items)


def in_order(what: str, items: Iterable[T]) -> list[T]:
    """Return items whose order matters as a list.

    Raises:
        RefusedError: see `listed`; or `items` is a set, whose order differs from process to process.
    """
    if isinstance(items, set | frozenset):
        raise RefusedError(f"{what} is a list of items in order: a set has none")
    return listed(what, items)


def id_text(item_id: object, where: str = ITEM_ID) -> str:
    """Return an id as text, "" for a missing one, such as None or NaN in a table.

    Args:
        item_id: the id; may be bytes, as some sources have for texts.
        where: its place, for error messages.

    Raises:
        RefusedError: it is a collection of values.
    """
    if isinstance(item_id, Iterable) and not isinstance(item_id, str | bytes):
        raise RefusedError(f"{where}: an id is a text or a whole number, not {shorten(repr(item_id), 80)}")
    # NaN is not equal to itself.
    if item_id is None or type(item_id).__name__ == "NAType" or item_id != item_id:
        return ""
    if isinstance(item_id, bytes):
        return item_id.decode(errors="replace")
    return text_of_id(item_id)


def id_and_attributes(item: SessionItem, where: str = ITEM_IDS) -> tuple[str, str]:
    """Return the id of an item of a session, and its attributes as JSON; "" for what it does not have.

    Args:
        item: the item.
        where: its place, for error messages.

    Raises:
        RefusedError: the item is missing, or its id is a collection of values.
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
    """Return an item in the form of the option `candidates`: an id, or attributes with an id.

    Args:
        item: the item.
        where: its place, for error messages.

    Raises:
        RefusedError: its id is a collection of values.
    """
    said = _mapping_of(item)
    return id_text(item, where) if said is None else {**said, ITEM_ID: id_text(said.get(ITEM_ID), where)}


def event_attributes_of(item: SessionItem) -> str:
    """Return the attributes of an item's event in the session as JSON; "" if there are none.

    What is no mapping is sent, too, as the server says what is wrong with it.
    """
    said = _mapping_of(item)
    if said is None or EVENT_ATTRIBUTES not in said:
        return ""
    attributes = _to_json(said[EVENT_ATTRIBUTES])
    return "" if attributes in _NOTHING else attributes


def _mapping_of(item: object) -> Mapping[str, Any] | None:
    """Return the attributes of an item by column, also for a row of a pandas table; None for an id."""
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
    """Convert a value of a table for JSON, to text if JSON has no type for it."""
    if type(value).__name__ in ("NAType", "NaTType"):
        return None
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, Decimal):
        # Not as text, in which a point may be a mark of thousands.
        return json_number(value)
    if isinstance(value, date | time | UUID):
        return str(value)
    if isinstance(value, set | frozenset):
        return sorted(value, key=str)
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "Mm":
        # The plain form of times in nanoseconds is a number.
        return None if np.isnat(value).all() else value.astype(str).tolist()
    if isinstance(value, np.ndarray | np.generic) and value.dtype in (np.float32, np.float16):
        # As it is written: 7.1, not 7.0999999. Values of 16 bits are taken as 32 bits, as in tables.
        is_written = value.dtype == np.float16 and not value.ndim
        wide = widen_halves(np.asarray(value)) if is_written else value.astype(np.float32)
        return wide.astype(str).astype(np.float64).tolist()
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"there is no JSON for a {type(value).__name__}")
