import json

import numpy as np
import pytest

from m2trec_merlin.config import EvaluationConfig
from m2trec_merlin.evaluation.measurements import Measurement, overview, summarise
from m2trec_merlin.evaluation.ranking import evaluate
from m2trec_merlin.sessions import Sessions
from tests.worlds.checkerboard import FunctionScorer, make_catalogue

CONFIG = EvaluationConfig(ks=[1, 2], sparse_below=10, bootstrap_samples=30)


def measurements() -> dict[tuple[str, str, int], Measurement]:
    catalogue = make_catalogue([50, 40, 5, 0])
    sessions = Sessions.from_lists([[1, 2], [2, 1], [1, 3]])
    scorer = FunctionScorer(lambda prefix: [0, 4, 3, 2, 1])
    outcome = evaluate(scorer, sessions.prefixes(), catalogue, CONFIG)
    rows = summarise(outcome, catalogue, CONFIG, data="shop", split="valid", seed=9)
    return {(m.slice, m.metric, m.k): m for m in rows}


def test_values_are_means_over_the_prefixes_of_a_slice() -> None:
    found = measurements()
    assert found["All", "HIT", 1].value == pytest.approx(1 / 3)
    assert found["All", "HIT", 2].value == pytest.approx(2 / 3)
    assert found["All", "MRR", 2].value == pytest.approx((1 / 2 + 1) / 3)
    assert found["Sparse", "HIT", 2].value == 0
    assert (found["All", "HIT", 1].n, found["Sparse", "HIT", 1].n) == (3, 1)


def test_every_row_says_what_it_was_measured_on() -> None:
    row = measurements()["All", "HIT", 1]
    assert (row.model, row.data, row.split, row.seed) == ("function", "shop", "valid", 9)
    assert row.candidates == "all catalogue items"
    assert row.low is not None and row.high is not None and row.value is not None
    assert row.low <= row.value <= row.high
    assert Measurement(**json.loads(json.dumps(row.as_dict()))) == row


def test_a_single_session_has_no_interval() -> None:
    """However many prefixes it has; those of other sessions may have nothing to measure."""
    assert all(m.low is None and m.high is None for m in measurements().values() if m.slice == "Sparse")
    from tests.worlds.checkerboard import ColourScorer

    catalogue = make_catalogue([5, 5, 5, 5], colours=[3, 3, 1, 3])
    for last, of_several in ((3, False), (4, True)):
        prefixes = Sessions.from_lists([[1, 2, 1], [1, last]]).prefixes()
        outcome = evaluate(ColourScorer(catalogue), prefixes, catalogue, CONFIG)
        rows = summarise(outcome, catalogue, CONFIG, data="shop", split="test", seed=0)
        assert {m.low is not None for m in rows if m.slice == "All"} == {of_several}


def test_an_empty_slice_has_no_value() -> None:
    row = measurements()["Cold target", "MRR", 2]
    assert (row.value, row.low, row.high, row.n) == (None, None, None, 0)
    assert "NaN" not in json.dumps([m.as_dict() for m in measurements().values()])


def test_categories_count_only_next_items_that_have_one() -> None:
    from tests.worlds.checkerboard import ColourScorer

    catalogue = make_catalogue([5, 5, 5], colours=[3, 3, 1])
    prefixes = Sessions.from_lists([[1, 2, 3]]).prefixes()
    outcome = evaluate(ColourScorer(catalogue), prefixes, catalogue, CONFIG)
    rows = summarise(outcome, catalogue, CONFIG, data="shop", split="test", seed=0)
    row = next(m for m in rows if m.slice == "All" and m.k == 1)
    assert (row.metric, row.value, row.n) == ("HIT[colour]", 1.0, 1)
    assert np.isfinite(row.seconds)


def test_an_overview_has_all_prefixes_at_each_cut_off_and_slices_at_the_largest() -> None:
    def measured(slice_: str, k: int, value: float | None) -> Measurement:
        return Measurement("ours", "shop", "test", slice_, "HIT", k, value, None, None, 5, 1, 0.1, "items")

    rows = [measured(name, k, k / 100) for name in ("All", "Sparse") for k in (5, 20)]
    rows.append(measured("Cold target", 20, None))
    assert overview(rows) == {"ours/HIT@5/All": 0.05, "ours/HIT@20/All": 0.2, "ours/HIT@20/Sparse": 0.2}
    assert overview([]) == {}
