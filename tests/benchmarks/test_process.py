"""The protocol between the benchmark and a runner, with a runner that only pretends to learn."""

import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.runners import process
from benchmarks.runners.data import scorer
from benchmarks.runners.exchange import Job
from benchmarks.runners.process import Look, RunnerFailed, Trained, train
from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.sessions import Sessions

RUNNER = """
import sys, time
import numpy as np
from benchmarks.runners.meter import Meter, run

def main(job):
    print("noise of a library")
    settings = job.settings
    def rank():
        time.sleep(settings.get("rank_seconds", 0))
        return np.full((1, 100), meter.epochs)
    meter = Meter(job, rank)
    meter.start()
    for epoch in range(settings["epochs"]):
        if epoch == settings.get("crash_at"):
            raise RuntimeError("crashed")
        for step in range(settings["steps"]):
            time.sleep(settings["step_seconds"])
            if meter.step(2, 6):
                return meter.finish()
        if meter.epoch():
            break
    meter.finish()

run(main)
"""


def pretend(
    folder: Path, hits: list[float], budget: float = 60.0, every: float = 60.0, threads: int = 2, **settings
) -> Trained:
    """Train the runner; `hits` are the scores after each epoch."""
    (folder / "runner.py").write_text(RUNNER)
    settings = {"epochs": 10, "steps": 2, "step_seconds": 0.0, **settings}
    Job("", "", str(folder), 20, 10, budget, every, threads, 42, settings).save(folder / "job.json")
    seen: list[Look] = []

    def score(lists: np.ndarray) -> tuple[float, float]:
        hit = hits[min(int(lists[0, 0]), len(hits) - 1)]
        return hit, hit / 2

    trained = train(
        "pretender",
        [sys.executable, str(folder / "runner.py"), str(folder / "job.json")],
        folder,
        score,
        commit="abc1234",
        threads=threads,
        report=seen.append,
    )
    assert trained.looks == seen
    return trained


def test_counts_what_was_trained(tmp_path: Path) -> None:
    trained = pretend(tmp_path, [0.0, 0.1, 0.2], epochs=2)
    assert [look.hit for look in trained.looks] == [0.1, 0.2]
    assert [look.epochs for look in trained.looks] == [1, 2]
    assert [look.sessions for look in trained.looks] == [4, 8]
    assert [look.targets for look in trained.looks] == [12, 24]
    assert trained.peak_bytes > 1_000_000
    assert "noise of a library" in (tmp_path / "log.txt").read_text()
    assert not list(tmp_path.glob("lists-*.npy"))


def test_stops_when_the_quality_stalls(tmp_path: Path) -> None:
    trained = pretend(tmp_path, [0.0, 0.1, 0.3, 0.3, 0.2, 0.25, 0.9])
    assert [look.epochs for look in trained.looks] == [1, 2, 3, 4, 5]


def test_stops_at_the_budget_and_looks_on_the_way(tmp_path: Path) -> None:
    trained = pretend(tmp_path, [0.1], budget=0.5, every=0.2, steps=10_000, step_seconds=0.01)
    assert [look.epochs for look in trained.looks] == [0, 0, 0]
    assert trained.looks[0].seconds >= 0.2
    assert trained.looks[-1].seconds >= 0.5


def test_evaluation_is_not_training_time(tmp_path: Path) -> None:
    trained = pretend(tmp_path, [0.0, 0.1, 0.2], epochs=2, rank_seconds=1.0)
    assert trained.looks[-1].seconds < 1.0


def test_of_one_thread_the_work_is_counted_and_not_the_time(tmp_path: Path) -> None:
    asleep = {"epochs": 2, "step_seconds": 0.5}
    (tmp_path / "two").mkdir()
    assert pretend(tmp_path, [0.0, 0.1, 0.2], threads=1, **asleep).looks[-1].seconds < 1.0
    assert pretend(tmp_path / "two", [0.0, 0.1, 0.2], threads=2, **asleep).looks[-1].seconds >= 2.0


def test_a_crash_is_no_result(tmp_path: Path) -> None:
    with pytest.raises(RunnerFailed, match=r"log\.txt"):
        pretend(tmp_path, [0.1], crash_at=1)
    assert "crashed" in (tmp_path / "log.txt").read_text()


def test_a_silent_runner_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "SILENCE", 3.0)
    with pytest.raises(RunnerFailed, match="said nothing"):
        pretend(tmp_path, [0.1], step_seconds=60.0)


def test_lists_are_scored_as_our_own_evaluation_does() -> None:
    prefixes = Sessions.from_lists([[1, 2], [3, 4], [5, 6]]).prefixes()
    catalogue = Catalogue(np.arange(31), np.zeros(31, np.int64), {})
    lists = np.zeros((3, 25), np.int64)
    lists[0] = [2, *range(7, 31)]  # the target 2 comes first
    lists[1] = [*range(7, 26), 4, *range(26, 31)]  # the target 4 comes twentieth
    lists[2] = [*range(7, 27), 6, *range(27, 31)]  # the target 6 comes twenty-first
    hit, mrr = scorer(prefixes, catalogue)(lists)
    assert hit == pytest.approx(2 / 3)
    assert mrr == pytest.approx((1 + 1 / 20) / 3)
