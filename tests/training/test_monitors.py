"""What every monitor of a training must bear, and what each makes of it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.summary.writer import event_file_writer

from m2trec_merlin.tracking import Recording
from m2trec_merlin.training.checkpoint import TrainingState
from m2trec_merlin.training.monitors import Monitors, ProgressMonitor, Recorded, TensorBoard
from m2trec_merlin.training.trainer import Monitor
from tests.told import Told
from tests.worlds.disks import small_disk


class Kept:
    """Of a recording, what monitors tell it."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def epoch(self, record: dict[str, Any]) -> None:
        self.told.append(record["epoch"])

    def stop(self) -> None:
        self.told.append("stop")


def recorded(kept: Kept) -> Recorded:
    return Recorded(cast(Recording, kept))


MONITORS: dict[str, Callable[[Path], Monitor]] = {
    "progress": lambda folder: ProgressMonitor(Told()),
    "tensorboard": TensorBoard,
    "recorded": lambda folder: recorded(Kept()),
    "several": lambda folder: Monitors([TensorBoard(folder), ProgressMonitor(Told()), recorded(Kept())]),
    "none": lambda folder: Monitors([]),
}


@pytest.fixture(params=MONITORS.values(), ids=MONITORS)
def monitor(request: pytest.FixtureRequest, tmp_path: Path) -> Monitor:
    return request.param(tmp_path)


def watch(monitor: Monitor, epochs: int, state: TrainingState, **measured: float) -> None:
    """Two steps an epoch, as the trainer tells them; a state is only looked at."""
    monitor.start(2 * (epochs + state.epoch), state)
    for _ in range(epochs):
        for _ in range(2):
            state.step, state.step_in_epoch = state.step + 1, state.step_in_epoch + 1
            state.loss_sum += 1.5
            before = deepcopy(state)
            monitor.step(state, 1.5)
            assert state == before
        state.epoch += 1
        state.history.append({"epoch": state.epoch, "loss": 1.5, "seconds": 0.1, **measured})
        if measured and not state.best_epoch:
            state.best_epoch, state.best_value = state.epoch, measured["HIT@20"]
        before = deepcopy(state)
        monitor.epoch(state)
        assert state == before
        state.step_in_epoch, state.loss_sum = 0, 0.0


def test_a_training_may_have_no_validation_and_go_on_later(monitor: Monitor) -> None:
    state = TrainingState()
    watch(monitor, 2, state)
    watch(monitor, 1, state, **{"HIT@20": 0.5, "MRR@20": 0.25})
    monitor.close()


def test_a_training_may_fail_before_it_starts(monitor: Monitor) -> None:
    monitor.close()


def test_progress_tells_epochs_and_that_no_step_follows() -> None:
    told, state = Told(), TrainingState()
    monitor = ProgressMonitor(told)
    watch(monitor, 2, state, **{"HIT@20": 0.5, "MRR@20": 0.25})
    monitor.close()
    assert told.lines == [
        "epoch  1  loss 1.500  HIT@20 0.5000  MRR@20 0.2500  0 s  (best so far)",
        "epoch  2  loss 1.500  HIT@20 0.5000  MRR@20 0.2500  0 s",
    ]
    assert told.tasks["training"][-1] == (4, 4, "loss 1.500  HIT@20 0.5000")
    again = ProgressMonitor(told)
    again.start(8, state)
    assert told.lines[-1] == "resuming after step 4 (epoch 3)"


def test_tensorboard_has_each_record_at_its_epoch(tmp_path: Path) -> None:
    monitor = TensorBoard(tmp_path)
    watch(monitor, 3, TrainingState(), **{"HIT@20": 0.5, "MRR@20": 0.25})
    monitor.close()
    written = EventAccumulator(str(tmp_path))
    written.Reload()
    assert [(point.step, point.value) for point in written.Scalars("epoch/HIT@20")] == [
        (1, 0.5),
        (2, 0.5),
        (3, 0.5),
    ]
    assert "epoch/epoch" not in written.Tags()["scalars"]


def test_a_folder_that_takes_no_file_of_tensorboard_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told_by_threads: list[object] = []
    monkeypatch.setattr(threading, "excepthook", told_by_threads.append)
    with pytest.raises(FileNotFoundError):
        TensorBoard(Path("/proc/self/fd")).start(10, TrainingState())
    with small_disk(10), pytest.raises(OSError, match="too large"):
        TensorBoard(tmp_path).start(10, TrainingState())
    assert not told_by_threads


def test_tensorboard_shows_one_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one before had more epochs; the one after it was killed between its checkpoint and the next."""
    # Files of one second are read in the order of their numbers as text: after other tests 10 comes before 9.
    monkeypatch.setattr(event_file_writer, "_global_uid", event_file_writer.AtomicCounter(0))

    def shown(tag: str) -> list[tuple[int, float]]:
        written = EventAccumulator(str(tmp_path))
        written.Reload()
        return [(point.step, point.value) for point in written.Scalars(tag)]

    def steps(monitor: Monitor, state: TrainingState, until: int, loss: float) -> None:
        monitor.start(80, state)
        for step in range(state.step + 1, until + 1):
            monitor.step(replace(state, step=step, step_in_epoch=step), loss)
        monitor.close()

    before = TensorBoard(tmp_path)
    watch(before, 3, TrainingState(), **{"HIT@20": 0.25})
    steps(before, TrainingState(), 80, 1.0)
    watch(after := TensorBoard(tmp_path), 2, TrainingState(), **{"HIT@20": 0.5})
    after.close()
    assert shown("epoch/HIT@20") == [(1, 0.5), (2, 0.5)]
    steps(TensorBoard(tmp_path), TrainingState(), 60, 2.0)
    assert shown("train/loss") == [(20, 2.0), (40, 2.0), (60, 2.0)]
    steps(TensorBoard(tmp_path), TrainingState(step=40), 60, 3.0)
    assert shown("train/loss") == [(20, 2.0), (40, 2.0), (60, 3.0)]


def test_a_record_gets_the_epochs_that_it_may_have_missed() -> None:
    kept, state = Kept(), TrainingState()
    watch(recorded(kept), 2, state)
    kept.told.clear()
    resumed = recorded(kept)
    watch(resumed, 1, state)
    resumed.close()
    assert kept.told == [1, 2, 3, "stop"]
