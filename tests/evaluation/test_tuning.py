"""A mixture is chosen on validation sessions, and kept in the run."""

from __future__ import annotations

import numpy as np
import pytest

from m2trec_merlin.evaluation.tuning import describe, draw, views_to_try
from m2trec_merlin.neighbours.weights import Weights
from m2trec_merlin.sessions import Sessions
from tests.worlds.checkerboard import make_catalogue


def test_more_prefixes_are_drawn_that_lead_to_rare_and_new_items() -> None:
    """Of a thousand sessions of two, five lead to a rare item, and ten to one that training never saw."""
    catalogue = make_catalogue([100, 3, 0])
    targets = [2] * 5 + [3] * 10 + [1] * 985
    valid = Sessions.from_lists([[1, target] for target in targets]).prefixes()
    sample = draw(valid, catalogue, 30, 10, seed=1)
    assert sample.sizes() == {"all": 30, "rare": 5, "new": 10}
    assert (sample.prefixes.targets[sample.rare] == 2).all()
    assert (sample.prefixes.targets[sample.new] == 3).all()
    everything = draw(valid, catalogue, 5000, 10, seed=1)
    assert everything.anywhere.all() and len(everything.prefixes) == 1000
    again = draw(valid, catalogue, 30, 10, seed=1)
    np.testing.assert_array_equal(again.prefixes.session, sample.prefixes.session)


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
