from __future__ import annotations

import numpy as np
import pytest

from m2trec_merlin.serving.runtime.answering.length_groups import group_by_length


@pytest.mark.parametrize(
    ("lengths", "groups"),
    [
        ([5], [[0]]),
        ([3, 3, 3], [[0, 1, 2]]),
        ([60, 2], [[1], [0]]),
        # 14 positions of padding, then 2 x 3 more, cost as much as another pass; 3 x 1 more cost more.
        ([18, 1, 15, 19], [[1, 2, 0], [3]]),
        ([4, 60, 5, 61, 4], [[0, 4, 2], [1, 3]]),
    ],
)
def test_sessions_of_about_equal_length_stand_together(lengths: list[int], groups: list[list[int]]) -> None:
    assert [group.tolist() for group in group_by_length(lengths)] == groups


def test_every_session_is_in_one_group_and_little_is_padded() -> None:
    lengths = np.random.default_rng(1).geometric(0.1, 64).tolist()
    groups = group_by_length(lengths)
    assert sorted(np.concatenate(groups).tolist()) == list(range(64))
    for group in groups:
        longest = max(lengths[place] for place in group)
        assert sum(longest - lengths[place] for place in group) <= 20
