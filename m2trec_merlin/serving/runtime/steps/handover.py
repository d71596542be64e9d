"""The tensors that the first step hands over to the second: few per session, as every tensor costs time.

Any client can send these tensors to the second step, so it checks them again.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np

from m2trec_merlin.contract.names import (
    CHECKED,
    ENSEMBLE,
    EVENTS,
    NEW_ITEMS,
    PREDICT,
    ROWS,
)
from m2trec_merlin.contract.version import Description
from m2trec_merlin.encoded import NO_ITEM, EncodedItems, Field, from_tensors, no_items, to_tensors
from m2trec_merlin.errors import RefusedError, ServerError
from m2trec_merlin.serving.runtime.options import check_read_options
from m2trec_merlin.serving.runtime.options.base import is_number
from m2trec_merlin.serving.runtime.request_json import parse_json
from m2trec_merlin.serving.runtime.requests import Request

#: Entries of `CHECKED` that are left out where they are empty, and their types.
_SELDOM: dict[str, type] = {"outside": dict, "places": list, "held": list}
#: Entry of `CHECKED`: the export that the rows refer to. The steps can be of different exports if the
#: repository was replaced while Triton ran, and one step was restarted.
MADE_OF = "made_of"


def hand_over(request: Request, version: Description) -> dict[str, np.ndarray]:
    """Return the tensors of a request: rows, new items, attributes of events, and the rest as JSON."""
    new_items = _pack(request.new_items) if (request.rows < 0).any() or request.outside else b""
    said = {
        MADE_OF: version.made_of,
        "options": request.options,
        "notes": request.notes,
        "request_id": request.request_id,
        "catalogue": request.catalogue,
    }
    # Few requests have these.
    said |= {name: value for name in _SELDOM if (value := getattr(request, name))}
    checked = json.dumps(said)
    events = {EVENTS: _pack(request.events) if request.events else b""} if version.events else {}
    packed = {NEW_ITEMS: new_items, **events, CHECKED: checked.encode()}
    return {
        ROWS: request.rows,
        **{name: np.array([content], dtype=object) for name, content in packed.items()},
    }


def add_to_checked(handed_over: Mapping[str, np.ndarray], name: str, value: Any) -> dict[str, np.ndarray]:
    """Return the tensors with one more entry at the front of the JSON in `CHECKED`, which is not parsed."""
    added = json.dumps({name: value})[:-1].encode() + b", "
    checked = added + handed_over[CHECKED].item()[1:]
    return {**handed_over, CHECKED: np.array([[checked]], dtype=object)}


def receive(
    tensors: Mapping[str, np.ndarray], version: Description, rows_of: Callable[[str], int]
) -> Request:
    """Return the request that tensors hold: the reverse of `hand_over`.

    Args:
        tensors: tensors of one session.
        version: description of the export that answers.
        rows_of: function that returns the number of rows of a catalogue version.

    Raises:
        RefusedError: the tensors, or the name of the catalogue version, are not such as the first step sends.
        ServerError: the first step is of another export, or the catalogue version cannot be opened.
    """
    with _from_the_first_step():
        (packed,), (checked,) = tensors[NEW_ITEMS].tolist(), tensors[CHECKED].tolist()
        said = parse_json(checked.decode(), CHECKED)
        made_of = said.get(MADE_OF, version.made_of)
        request = Request(
            tensors[ROWS],
            _unpack(packed, version.fields),
            check_read_options(said["options"], version),
            [str(note) for note in said["notes"]],
            str(said["request_id"]),
            str(said["catalogue"]),
            **{name: said.get(name, kind()) for name, kind in _SELDOM.items()},
            events=_events(tensors, version),
        )
    if made_of != version.made_of:
        raise ServerError(f"{PREDICT} was handed rows of another export: start the server again")
    n_rows = rows_of(request.catalogue)
    with _from_the_first_step():
        _require_within(request, version, n_rows)
    return request


@contextmanager
def _from_the_first_step() -> Iterator[None]:
    """Refuse a request on any error of the block, which reads tensors that any client may have sent."""
    try:
        yield
    except Exception as error:  # NumPy and zipfile raise errors of many kinds on malformed data
        raise RefusedError(
            f"{PREDICT} answers what the first step hands over, and this is something else ({error}): "
            f"send requests to '{ENSEMBLE}'"
        ) from None


def tensors_of(version: Description) -> tuple[str, ...]:
    """Return the names of the tensors that `hand_over` makes."""
    return (ROWS, NEW_ITEMS, *((EVENTS,) if version.events else ()), CHECKED)


def _events(tensors: Mapping[str, np.ndarray], version: Description) -> EncodedItems:
    packed = tensors[EVENTS].item() if version.events else b""
    return _unpack(packed, version.event_fields) if packed else {}


def _pack(items: EncodedItems) -> bytes:
    packed = io.BytesIO()
    # Not `np.savez`, which does the same but takes no array called `file`.
    with zipfile.ZipFile(packed, "w") as archive:
        for name, array in to_tensors(items).items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, array, allow_pickle=False)
    return packed.getvalue()


def _unpack(packed: bytes, fields: list[Field]) -> EncodedItems:
    if not packed:
        return _nothing(tuple(fields))
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        # A few bytes of compressed data may expand to gigabytes.
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
            raise ValueError(f"{NEW_ITEMS} are compressed")
    with np.load(io.BytesIO(packed), allow_pickle=False) as arrays:
        return from_tensors(fields, arrays)


@cache
def _nothing(fields: tuple[Field, ...]) -> EncodedItems:
    """Return no items; cached, as most requests have none."""
    return no_items(fields)


def _require_within(request: Request, version: Description, n_rows: int) -> None:
    rows, columns = request.rows, request.new_items.values()
    if not _is_list_of(str, request.held) or not _is_list_of(int, request.places):
        raise ValueError("held and places are no lists of texts and of numbers")
    if not isinstance(request.outside, dict) or not all(
        _are_values(of_item, version.filters) for of_item in request.outside.values()
    ):
        raise ValueError("outside are no values of candidates")
    if request.places and len(request.places) != len(rows):
        raise ValueError(f"places are not the {len(rows)} of {ROWS}")
    if rows.ndim != 1 or len(rows) > version.max_length:
        raise ValueError(f"expected at most {version.max_length} {ROWS}, found {list(rows.shape)}")
    new = -int(rows.min(initial=0)) + len(request.outside)
    if request.new_items is _nothing(tuple(version.fields)):
        are_others = bool(new)
    else:
        are_others = not columns or any(not column.is_whole or len(column) != new for column in columns)
    if are_others:
        raise ValueError(f"{NEW_ITEMS} are not the {new} that {ROWS} and candidates name")
    if any(not column.is_whole or len(column) != len(rows) for column in request.events.values()):
        raise ValueError(f"{EVENTS} are not the {len(rows)} of {ROWS}")
    if (no_items := rows[(rows == NO_ITEM) | (rows >= n_rows)]).size:
        raise ValueError(f"{ROWS} name {int(no_items[0])}, which is no item; the catalogue has {n_rows} rows")


def _are_values(of_item: object, filters: Mapping[str, str]) -> bool:
    """Tell whether a value has the form of `NewItem.values`, with columns that can be filtered by."""
    return isinstance(of_item, dict) and all(
        name in filters
        and (
            value is None
            or (is_number(value) if filters[name] else isinstance(value, str) or _is_list_of(str, value))
        )
        for name, value in of_item.items()
    )


def _is_list_of(kind: type, value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, kind) for each in value)


def one_session(name: str, array: np.ndarray) -> np.ndarray:
    """Remove the leading dimension of a tensor.

    Args:
        name: name of the tensor, which determines its type.
        array: texts as bytes or str, or whole numbers, [1, n].

    Returns:
        The entries as objects or int64, [n].

    Raises:
        RefusedError: the shape is not [1, n], or the values are of another type.
    """
    if array.ndim < 1 or array.shape[0] != 1:
        raise RefusedError(
            f"{name}: expected shape [1, ...], found {list(array.shape)}: send one session per request; "
            "Triton answers requests that arrive together in one batch"
        )
    if array.ndim != 2:
        raise RefusedError(f"{name}: expected two dimensions, found {array.ndim}")
    session: np.ndarray = array[0]
    if name == ROWS:
        if session.dtype != np.int64:
            raise RefusedError(f"{name}: expected values of type INT64, found {session.dtype}")
    elif not all(isinstance(entry, bytes | str) for entry in session.tolist()):
        raise RefusedError(f"{name}: expected texts (BYTES), found {session.dtype}")
    return session


def as_arrays(tensors: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Return tensors as arrays with a leading dimension of 1, which Triton batches by."""
    return {name: np.asarray(array)[np.newaxis] for name, array in tensors.items()}
