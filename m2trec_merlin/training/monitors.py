"""Monitors of training: progress for a person, TensorBoard, and services that record runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryFile

from torch.utils.tensorboard import SummaryWriter

from m2trec_merlin.progress import Progress
from m2trec_merlin.tracking import Recording
from m2trec_merlin.training.checkpoint import TrainingState
from m2trec_merlin.training.trainer import Monitor

_TASK = "training"
_STEPS_BETWEEN_POINTS = 20
#: Bytes that a folder must take; TensorBoard begins a file with some hundred.
_PROBED = 4096


class ProgressMonitor:
    """Reports steps, the loss, HIT@20 on validation, and a line for each epoch."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self._steps, self._total, self._note = 0, 0, ""

    def start(self, total_steps: int, state: TrainingState) -> None:
        """Say where a resumed training continues."""
        if state.step:
            self.progress.say(f"resuming after step {state.step:,} (epoch {state.epoch + 1})")
        self._steps, self._total = state.step, total_steps
        self._tell("-", state)

    def step(self, state: TrainingState, loss: float) -> None:
        """Report the mean loss of the epoch so far."""
        self._steps = state.step
        self._tell(f"{state.loss_sum / state.step_in_epoch:.3f}", state)

    def epoch(self, state: TrainingState) -> None:
        """Report the epoch's record."""
        record = state.history[-1]
        metrics = "".join(f"  {name} {record[name]:.4f}" for name in ("HIT@20", "MRR@20") if name in record)
        best = "  (best so far)" if state.best_epoch == state.epoch else ""
        self.progress.say(
            f"epoch {record['epoch']:>2}  loss {record['loss']:.3f}{metrics}  {record['seconds']:.0f} s{best}"
        )

    def close(self) -> None:
        """Report that no step will follow, even if more were planned."""
        if self._total:
            self.progress.advance(_TASK, self._steps, self._steps, self._note)

    def _tell(self, loss: str, state: TrainingState) -> None:
        hit = f"{state.best_value:.4f}" if state.best_epoch else "-"
        self._note = f"loss {loss}  HIT@20 {hit}"
        self.progress.advance(_TASK, self._steps, self._total, self._note)


class TensorBoard:
    """Writes loss and validation metrics for TensorBoard.

    A curve shows one training: points of an earlier training in the folder, and points that a killed training
    wrote after its last checkpoint, are discarded.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._writer: SummaryWriter | None = None

    def start(self, total_steps: int, state: TrainingState) -> None:
        """Begin a file that continues the curve after the checkpoint."""
        self.folder.mkdir(parents=True, exist_ok=True)
        # The writer begins its file in a thread that would print a traceback beside any error.
        with TemporaryFile(dir=self.folder) as probe:
            probe.write(bytes(_PROBED))
        self._writer = SummaryWriter(str(self.folder), purge_step=state.step + 1)

    def step(self, state: TrainingState, loss: float) -> None:
        """Write the loss every few steps."""
        if self._writer and state.step % _STEPS_BETWEEN_POINTS == 0:
            self._writer.add_scalar("train/loss", loss, state.step)

    def epoch(self, state: TrainingState) -> None:
        """Write the epoch's record."""
        if self._writer:
            for name, value in state.history[-1].items():
                if name != "epoch":
                    self._writer.add_scalar(f"epoch/{name}", value, state.epoch)
            self._writer.flush()

    def close(self) -> None:
        """Close the file, if it was begun."""
        if self._writer:
            self._writer.close()


class Recorded:
    """Reports to a service that records runs, and whose record is open."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording

    def start(self, total_steps: int, state: TrainingState) -> None:
        """Send the epochs before the checkpoint, some of which the service may have missed."""
        for record in state.history:
            self.recording.epoch(record)

    def step(self, state: TrainingState, loss: float) -> None:
        """Do nothing: TensorBoard has the steps."""

    def epoch(self, state: TrainingState) -> None:
        """Send the epoch's record."""
        self.recording.epoch(state.history[-1])

    def close(self) -> None:
        """Report that no epoch follows for now."""
        self.recording.stop()


class Monitors:
    """Several monitors as one."""

    def __init__(self, monitors: Sequence[Monitor]) -> None:
        self.monitors = monitors

    def start(self, total_steps: int, state: TrainingState) -> None:
        """Tell all."""
        for monitor in self.monitors:
            monitor.start(total_steps, state)

    def step(self, state: TrainingState, loss: float) -> None:
        """Tell all."""
        for monitor in self.monitors:
            monitor.step(state, loss)

    def epoch(self, state: TrainingState) -> None:
        """Tell all."""
        for monitor in self.monitors:
            monitor.epoch(state)

    def close(self) -> None:
        """Tell all."""
        for monitor in self.monitors:
            monitor.close()
