from __future__ import annotations

import numpy as np
import pytest

from m2trec_merlin.search import similar
from m2trec_merlin.search.similar import Directions

#: The last but one has no direction.
VECTORS = np.array([[3, 0], [0, 0.5], [1, 1], [0, 0], [-2, 0]], np.float32)


@pytest.mark.parametrize("at_a_time", [2, 100])
def test_cosines_by_hand(monkeypatch: pytest.MonkeyPatch, at_a_time: int) -> None:
    monkeypatch.setattr(similar, "_ROWS_AT_A_TIME", at_a_time)
    cosines = Directions(VECTORS).cosines(np.array([2, 0], np.float32))
    assert cosines.dtype == np.float32
    np.testing.assert_allclose(cosines, [1, 0, np.sqrt(0.5), 0, -1], atol=1e-6)


def test_a_vector_without_length_is_like_nothing() -> None:
    assert Directions(VECTORS).cosines(np.zeros(2, np.float32)).tolist() == [0] * 5
