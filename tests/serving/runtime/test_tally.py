from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from m2trec_merlin.contract.metrics import (
    BUCKETS,
    IDS,
    METRICS,
    REFUSED,
    REQUESTS,
    SECONDS,
    Kind,
)
from m2trec_merlin.contract.names import PREDICT, PREPROCESS
from m2trec_merlin.serving.runtime.tally import StepTally, Tally
from tests.serving.runtime.counted import Counted


@pytest.mark.parametrize("step", [PREPROCESS, PREDICT])
def test_everything_a_step_counts_is_there_from_the_start(step: str) -> None:
    tally = Tally()
    StepTally(tally, step, "v1").catalogue("c1", 3, 7.0)
    published = Counted.of(tally)
    expected = {name for metric in METRICS if step in metric.steps for name in metric.series}
    gauges = {metric.name for metric in METRICS if metric.kind is Kind.GAUGE}
    assert {name for name, _ in published.values} - gauges == expected - gauges
    assert all(value == 0 for (name, _), value in published.values.items() if name not in gauges)
    assert all(
        {"step": step, "model": "v1"}.items() <= dict(labels).items() for _, labels in published.values
    )


def test_only_what_changed_is_published_again() -> None:
    tally = Tally()
    step = StepTally(tally, PREPROCESS, "v1")
    Counted.of(tally)
    step.count(IDS, 2)
    step.count(REQUESTS, 1, REFUSED)
    again = Counted.of(tally)
    assert sorted(again.values.values()) == [1, 2]
    assert (again.value(IDS.name), again.value(REQUESTS.name, outcome=REFUSED)) == (2, 1)
    step.count(IDS, 3)
    tally.publish(again)
    assert again.value(IDS.name) == 5
    assert Counted.of(tally).values == {}


def test_buckets_hold_all_that_took_no_longer() -> None:
    tally = Tally()
    step = StepTally(tally, PREDICT, "v1")
    step.took(BUCKETS[2], 3)
    step.took(BUCKETS[2] * 1.01, 4)
    step.took(BUCKETS[-1] * 2, 1)
    counted = Counted.of(tally)
    bucket, total, count = SECONDS.series
    at_most = [counted.value(bucket, le=f"{bound:g}") for bound in BUCKETS]
    assert at_most == [0, 0, 3, *[7] * (len(BUCKETS) - 3)]
    assert counted.value(bucket, le="+Inf") == counted.value(count) == 8
    assert counted.value(total) == pytest.approx(BUCKETS[2] * 7.04 + BUCKETS[-1] * 2)


def test_one_catalogue_is_in_use() -> None:
    tally = Tally()
    step = StepTally(tally, PREDICT, "v1")
    for version, items, written in (("a", 10, 100.0), ("a", 10, 100.0), ("b", 11, 200.0)):
        step.catalogue(version, items, written)
    counted = Counted.of(tally)
    info = [counted.value("m2trec_catalogue_info", catalogue=version) for version in "ab"]
    assert info == [0, 1]
    assert counted.value("m2trec_catalogue_items") == 11
    assert counted.value("m2trec_catalogue_written_timestamp_seconds") == 200


def test_nothing_is_lost_between_threads() -> None:
    tally = Tally()
    step = StepTally(tally, PREPROCESS, "v1")
    counted = Counted.of(tally)

    def count(_: int) -> None:
        for _ in range(1000):
            step.count(IDS, 1)

    with ThreadPoolExecutor(4) as pool:
        done = pool.map(count, range(4))
        for _ in range(10):
            tally.publish(counted)
        list(done)
    tally.publish(counted)
    assert counted.value(IDS.name) == 4000
