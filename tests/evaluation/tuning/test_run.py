"""A mixture is chosen on validation sessions, and kept in the run."""

from __future__ import annotations

import pytest

from m2trec_merlin.evaluation.tuning.run import describe, views_to_try
from m2trec_merlin.neighbours.weights import Weights
from tests.worlds.checkerboard import make_catalogue


def test_neighbours_by_metadata_are_tried_where_items_have_twins() -> None:
    colours = list(range(2, 300))
    assert views_to_try(make_catalogue([1] * 298, colours=colours)) == ["by_id", "beside", "content"]
    twins = make_catalogue([1] * 298, colours=[*colours[:-9], *colours[:9]])
    assert views_to_try(twins) == ["by_id", "by_metadata", "beside", "content"]


@pytest.mark.parametrize(
    ("weights", "told"),
    [
        (Weights(by_id=2, rare=-0.5), "by_id 2, rare -0.5"),
        (Weights(), "the model alone"),
    ],
)
def test_what_counts_is_told(weights: Weights, told: str) -> None:
    assert describe(weights) == told
