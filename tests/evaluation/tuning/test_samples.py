"""Prefixes to choose on."""

from __future__ import annotations

import numpy as np

from m2trec_merlin.evaluation.tuning.samples import Parts, draw
from m2trec_merlin.sessions import Sessions
from tests.worlds.checkerboard import make_catalogue


def test_more_prefixes_are_drawn_that_lead_to_rare_and_new_items() -> None:
    """Of a thousand sessions of two, five lead to a rare item, and ten to one that training never saw."""
    catalogue = make_catalogue([100, 3, 0])
    targets = [2] * 5 + [3] * 10 + [1] * 985
    valid = Sessions.from_lists([[1, target] for target in targets]).prefixes()
    prefixes, parts = draw(valid, catalogue, 30, 10, seed=1)
    assert parts.sizes() == {"all": 30, "rare": 5, "new": 10}
    assert (prefixes.targets[parts.rare] == 2).all()
    assert (prefixes.targets[parts.new] == 3).all()
    every, all_of_them = draw(valid, catalogue, 5000, 10, seed=1)
    assert all_of_them.anywhere.all() and len(every) == 1000
    again, _ = draw(valid, catalogue, 30, 10, seed=1)
    np.testing.assert_array_equal(again.session, prefixes.session)


def test_parts_of_several_draws_are_put_behind_each_other() -> None:
    yes, no = np.ones(2, bool), np.zeros(2, bool)
    joined = Parts.join([Parts(yes, no, yes), Parts(no, yes, yes)])
    assert joined.sizes() == {"all": 2, "rare": 2, "new": 4}
    assert joined.rare.tolist() == [False, False, True, True]
