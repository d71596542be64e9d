"""Limits on the size of a request: above any real one, but low enough that none delays the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from m2trec_merlin.contract.names import LONGEST_ID
from m2trec_merlin.errors import RefusedError

#: Most bytes of all tensors of a request together.
MOST_BYTES = 2**20
#: Most events of a session in a request; the model takes the last of them.
MOST_EVENTS = 10_000
#: Most items in `candidates`, and most of them that are given by raw attributes, to be encoded first.
MOST_CANDIDATES, MOST_RAW_CANDIDATES = 10_000, 1000
#: Most recommendations in an answer.
MOST_RECOMMENDED = 10_000
#: Most letters of the id of a request.
LONGEST_REQUEST_ID = 128
#: Deepest nesting of lists and objects, and most digits of a number, in JSON.
DEEPEST, MOST_DIGITS = 32, 100


def require_small(tensors: Mapping[str, np.ndarray]) -> None:
    """Check the size of a request.

    Args:
        tensors: tensors of one session, one-dimensional; texts as bytes or str.

    Raises:
        RefusedError: the request has more than MOST_BYTES bytes; names the largest tensor.
    """
    sizes = {name: _size(array) for name, array in tensors.items()}
    if sum(sizes.values()) > MOST_BYTES:
        largest = max(sizes, key=sizes.__getitem__)
        raise RefusedError(
            f"{largest}: the request holds {sum(sizes.values()):,} bytes, {sizes[largest]:,} of them here; "
            f"at most {MOST_BYTES:,} are answered"
        )


def require_short_session(item_ids: Sequence[str]) -> None:
    """Check the length of a session and of its ids.

    Raises:
        RefusedError: the session has too many events, or an id too many letters; names the id's position.
    """
    if len(item_ids) > MOST_EVENTS:
        raise RefusedError(
            f"item_ids: {len(item_ids):,} events; at most {MOST_EVENTS:,} are read, so send the last ones"
        )
    if len(max(item_ids, key=len, default="")) > LONGEST_ID:
        where, length = next((n, len(i)) for n, i in enumerate(item_ids) if len(i) > LONGEST_ID)
        raise RefusedError(f"item_ids[{where}]: an id of {length:,} letters; at most {LONGEST_ID:,} are read")


def _size(array: np.ndarray) -> int:
    return sum(map(len, array.tolist())) if array.dtype == object else array.nbytes
