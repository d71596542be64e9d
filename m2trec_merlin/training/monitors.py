"""Who watches training: a progress bar and TensorBoard."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from torch.utils.tensorboard import SummaryWriter

from m2trec_merlin.training.checkpoint import Progress
from m2trec_merlin.training.trainer import Monitor

_STEPS_BETWEEN_POINTS = 20


class ProgressBar:
    """Shows steps, the loss, HIT@20 on validation and the time left.

    Where the output is no terminal, one line per epoch is printed instead.
    """

    def __init__(self, console: Console) -> None:
        self.console = console
        self.bar = Bar(
            TextColumn("training"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]}  HIT@20 {task.fields[hit]}"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )

    def start(self, total_steps: int, progress: Progress) -> None:
        """Show the bar; say where a resumed training goes on."""
        if progress.step:
            self.console.print(f"resuming after step {progress.step:,} (epoch {progress.epoch + 1})")
        self.task = self.bar.add_task(
            "train", total=total_steps, completed=progress.step, loss="-", hit=_hit(progress)
        )
        self.bar.start()

    def step(self, progress: Progress, loss: float) -> None:
        """Move the bar."""
        mean = progress.loss_sum / progress.step_in_epoch
        self.bar.update(self.task, completed=progress.step, loss=f"{mean:.3f}")

    def epoch(self, progress: Progress) -> None:
        """Print the epoch's record above the bar."""
        self.bar.update(self.task, hit=_hit(progress))
        record = progress.history[-1]
        metrics = "".join(f"  {name} {record[name]:.4f}" for name in ("HIT@20", "MRR@20") if name in record)
        best = "  (best so far)" if progress.best_epoch == progress.epoch else ""
        line = (
            f"epoch {record['epoch']:>2}  loss {record['loss']:.3f}{metrics}  {record['seconds']:.0f} s{best}"
        )
        self.console.print(line, highlight=False)

    def close(self) -> None:
        """Remove the bar."""
        self.bar.stop()


class TensorBoard:
    """Writes loss and validation metrics for TensorBoard."""

    def __init__(self, folder: Path) -> None:
        self.writer = SummaryWriter(str(folder))

    def start(self, total_steps: int, progress: Progress) -> None:
        """Nothing to write yet."""

    def step(self, progress: Progress, loss: float) -> None:
        """Write the loss now and then."""
        if progress.step % _STEPS_BETWEEN_POINTS == 0:
            self.writer.add_scalar("train/loss", loss, progress.step)

    def epoch(self, progress: Progress) -> None:
        """Write the epoch's record."""
        for name, value in progress.history[-1].items():
            if name != "epoch":
                self.writer.add_scalar(f"epoch/{name}", value, progress.epoch)
        self.writer.flush()

    def close(self) -> None:
        """Close the file."""
        self.writer.close()


class Monitors:
    """Several monitors as one."""

    def __init__(self, monitors: Sequence[Monitor]) -> None:
        self.monitors = monitors

    def start(self, total_steps: int, progress: Progress) -> None:
        """Tell all."""
        for monitor in self.monitors:
            monitor.start(total_steps, progress)

    def step(self, progress: Progress, loss: float) -> None:
        """Tell all."""
        for monitor in self.monitors:
            monitor.step(progress, loss)

    def epoch(self, progress: Progress) -> None:
        """Tell all."""
        for monitor in self.monitors:
            monitor.epoch(progress)


def _hit(progress: Progress) -> str:
    return f"{progress.best_value:.4f}" if progress.best_epoch else "-"
