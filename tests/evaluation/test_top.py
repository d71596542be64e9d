"""The highest scores are those of a whole sort."""

from __future__ import annotations

import pytest
import torch

from m2trec_merlin.evaluation.top import top


@pytest.mark.parametrize("columns", [1, 19, 64, 700, 3_001])
@pytest.mark.parametrize("count", [1, 20])
def test_the_highest_scores_and_where_they_are(columns: int, count: int) -> None:
    torch.manual_seed(columns)
    # Few distinct numbers: ties are everywhere.
    scores = torch.randint(0, 500, (40, columns)).float()
    scores[3] = -torch.inf
    scores[4, : columns // 2] = torch.nan
    values, found = top(scores, count)
    expected = scores.topk(min(count, columns), dim=1).values
    torch.testing.assert_close(values, expected, rtol=0, atol=0, equal_nan=True)
    torch.testing.assert_close(scores.gather(1, found), values, rtol=0, atol=0, equal_nan=True)
    assert all(len(set(line)) == len(line) for line in found.tolist())
