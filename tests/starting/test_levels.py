from __future__ import annotations

import pandas as pd
import pytest

from m2trec_merlin.starting.levels import rank_correlation


@pytest.mark.parametrize(
    ("one", "other", "found"),
    [([1, 2, 9], [0.1, 0.2, 0.3], 1.0), ([1, 2, 9], [3, 2, 1], -1.0), ([1, 1, 1], [1, 2, 3], 0.0)],
)
def test_numbers_follow_others_by_their_ranks(one: list[int], other: list[float], found: float) -> None:
    assert rank_correlation(pd.Series(one), pd.Series(other)) == pytest.approx(found)
