from __future__ import annotations

import numpy as np
import pytest

from m2trec_merlin.contract.names import LONGEST_ID
from m2trec_merlin.errors import ServerError
from m2trec_merlin.serving.runtime.bounds import (
    MOST_BYTES,
    MOST_EVENTS,
    require_short_session,
    require_small,
)


def test_what_is_within_bounds_passes() -> None:
    require_small({"item_ids": np.array([b"x" * (MOST_BYTES - 8)], object), "rows": np.zeros(1)})
    require_short_session(["x" * LONGEST_ID] * MOST_EVENTS)
    require_short_session([])


def test_too_many_bytes_are_refused_by_the_largest_tensor() -> None:
    tensors = {"item_ids": np.array([b"x"], object), "options": np.array([b"y" * MOST_BYTES], object)}
    with pytest.raises(ServerError, match=r"^options: the request holds 1,048,577 bytes, 1,048,576 of them"):
        require_small(tensors)


def test_too_many_events_and_too_long_ids_are_refused() -> None:
    with pytest.raises(ServerError, match=r"^item_ids: 10,001 events; at most 10,000"):
        require_short_session(["a"] * (MOST_EVENTS + 1))
    with pytest.raises(ServerError, match=r"^item_ids\[1\]: an id of 2,049 letters; at most 2,048"):
        require_short_session(["a", "x" * (LONGEST_ID + 1)])
