import numpy as np
import pytest

from m2trec_merlin.errors import ConfigError
from m2trec_merlin.evaluation.metrics import (
    METRICS,
    MetricAt,
    category_hit,
    discounted_gain,
    hit,
    hit_remaining,
    measure,
    recall,
    reciprocal_rank,
)
from m2trec_merlin.evaluation.outcomes import UNMEASURED, UNRANKED, Outcome
from m2trec_merlin.evaluation.ranking import rank_items
from m2trec_merlin.sessions import Sessions

INF = np.inf


def example() -> Outcome:
    """The session 1 2 3 2 with three prefixes, ranked by hand.

    Prefix 1:     order 5, 2, {3, 4} tied, 1. Next 2 at rank 2; 3 at rank 4. Remaining {2, 3}.
    Prefix 1 2:   order {1, 2, 3} tied, 4, 5. Next 3 at rank 3; 2 at rank 3. Remaining {3, 2}.
    Prefix 1 2 3: item 2 is no candidate. Remaining {2}.
    """
    prefixes = Sessions.from_lists([[1, 2, 3, 2]]).prefixes()
    scores = np.array([[-INF, 0, 3, 2, 2, 9], [-INF, 7, 7, 7, 1, 0], [-INF, 4, -INF, 3, 2, 1]], np.float32)
    return Outcome("example", "all", prefixes, (1, 2, 3, 4), rank_items(scores, prefixes, (1, 2, 3, 4)))


@pytest.mark.parametrize(
    ("metric", "k", "expected"),
    [
        (hit, 1, [0, 0, 0]),
        (hit, 2, [1, 0, 0]),
        (hit, 3, [1, 1, 0]),
        (reciprocal_rank, 1, [0, 0, 0]),
        (reciprocal_rank, 2, [1 / 2, 0, 0]),
        (reciprocal_rank, 4, [1 / 2, 1 / 3, 0]),
        (discounted_gain, 1, [0, 0, 0]),
        (discounted_gain, 2, [1 / np.log2(3), 0, 0]),
        (discounted_gain, 4, [1 / np.log2(3), 1 / 2, 0]),
        (recall, 1, [0, 0, 0]),
        (recall, 2, [1 / 2, 0, 0]),
        (recall, 3, [1 / 2, 1, 0]),
        (recall, 4, [1, 1, 0]),
        (hit_remaining, 1, [0, 0, 0]),
        (hit_remaining, 2, [1, 0, 0]),
        (hit_remaining, 4, [1, 1, 0]),
    ],
)
def test_metrics_worked_out_by_hand(metric: object, k: int, expected: list[float]) -> None:
    np.testing.assert_allclose(metric(example(), k), expected, rtol=1e-6)  # type: ignore[operator]


def test_category_hit_does_not_count_items_without_category() -> None:
    values = category_hit(np.array([1, 3, 4, UNRANKED, UNMEASURED]), 3)
    np.testing.assert_array_equal(values, [1, 1, 0, 0, np.nan])


def test_measure_yields_every_metric_at_every_cut_off() -> None:
    outcome = example()
    outcome.categories["colour"] = np.array([1, 2, 3])
    found = [(name, k) for name, k, values in measure(outcome) if values.shape == (3,)]
    assert found == [(m.name, k) for m in METRICS for k in (1, 2, 3, 4)] + [
        ("HIT[colour]", k) for k in (1, 2, 3, 4)
    ]


def test_a_cut_off_that_was_not_counted_is_refused() -> None:
    with pytest.raises(ValueError, match="K = 7 was not counted"):
        recall(example(), 7)


def test_an_outcome_of_categories_has_no_metric_on_items() -> None:
    outcome = Outcome("colours", "", example().prefixes, (1,), None)
    with pytest.raises(ValueError, match="ranks categories only"):
        hit(outcome, 1)


@pytest.mark.parametrize("text", ["HIT", "HIT@0", "hit@20", "HIT@99999", "HIT@20 "])
def test_metrics_that_are_none(text: str) -> None:
    with pytest.raises(ConfigError, match=r"expected one of HIT@K, MRR@K, NDCG@K, Recall@K, .* as in HIT@20"):
        MetricAt.parse(text)
    metric = MetricAt.parse("MRR@5")
    assert (metric.metric.name, metric.k, str(metric)) == ("MRR", 5, "MRR@5")
