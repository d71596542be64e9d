"""Training for a number of steps, as `m2trec train` does it: a process of benchmarks/scale.py.

Builds the model, trains it with the trainer, its checkpoints and its validation, and then reads on through
the training sessions without training, so that the peak of memory holds what a whole epoch would ask for.
Writes what it measured as JSON.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from m2trec_merlin.artifacts import atomic_write
from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.config import Config, load_config
from m2trec_merlin.evaluation.ranking import sample_prefixes
from m2trec_merlin.model.m2trec import build_model
from m2trec_merlin.sessions import Sessions
from m2trec_merlin.training.checkpoint import Progress
from m2trec_merlin.training.loader import SessionLoader
from m2trec_merlin.training.trainer import Trainer

_WARM_UP = 5


class BoundedLoader(SessionLoader):
    """Ends an epoch after some steps; then reads the sessions that are left, up to a number."""

    steps: int
    read_sessions: int
    read_seconds = 0.0
    read = 0

    def __len__(self) -> int:
        """Batches an epoch."""
        return min(self.steps, super().__len__())

    def batches(self, epoch: int, skip: int = 0) -> Iterator[dict[str, torch.Tensor]]:
        """Yield the first batches of an epoch, then read on without yielding."""
        batches = super().batches(epoch, skip)
        yield from islice(batches, len(self) - skip)
        started = time.perf_counter()
        left = max(0, self.read_sessions // self.batch_size - len(self))
        self.read = sum(self.batch_size for _ in islice(batches, left))
        self.read_seconds = time.perf_counter() - started


class StepTimes:
    """Takes the time of each step; implements `Monitor`."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self._last = time.perf_counter()

    def start(self, total_steps: int, progress: Progress) -> None:
        """Take the time."""
        self._last = time.perf_counter()

    def step(self, progress: Progress, loss: float) -> None:
        """Note the seconds since the last step."""
        now = time.perf_counter()
        self.seconds.append(now - self._last)
        self._last = now

    def epoch(self, progress: Progress) -> None:
        """Nothing to note."""


def train_some(config: Config, steps: int, read_sessions: int) -> dict[str, Any]:
    """Return seconds a step, targets a second, and the loader's sessions a second."""
    data = config.directory / "preprocessed"
    catalogue = Catalogue.load(data / "catalogue")
    torch.manual_seed(config.seed)
    model = build_model(config, catalogue)
    batch_size = config.training.batch_size
    loader = BoundedLoader(
        data / "sessions" / "train", catalogue.n_rows, model.max_length, batch_size, config.seed
    )
    loader.steps, loader.read_sessions = steps, read_sessions
    validation = Sessions.load(data / "sessions" / "valid").prefixes()
    times = StepTimes()
    trainer = Trainer(
        model,
        catalogue,
        loader,
        sample_prefixes(validation, config.training.validation_prefixes, config.seed),
        config.training,
        config.directory / "bounded" / "checkpoints",
        "bounded",
        times,
    )
    trainer.train(config.seed, resume=False)
    # Targets of the same batches, counted from their rows: one less than events for each session.
    events = [len(batch["row__values"]) for batch in islice(SessionLoader.batches(loader, 0), len(loader))]
    counted = slice(min(_WARM_UP, len(events) - 1), None)
    return {
        "parameters": model.count_parameters(),
        "seconds_per_step": statistics.median(times.seconds[counted]),
        "targets_per_step": statistics.median(events[counted]) - batch_size,
        "read_sessions": loader.read,
        "read_seconds": loader.read_seconds,
    }


def main() -> None:
    """Train and write the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-c", "--config", type=Path, required=True)
    parser.add_argument("--work-dir", type=Path, required=True, help="where `m2trec preprocess` wrote")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--read-sessions", type=int, default=1_000_000, help="sessions to read in all")
    parser.add_argument("--output", type=Path, required=True, help="JSON file to write")
    arguments = parser.parse_args()
    settings = {
        "work_dir": str(arguments.work_dir),
        "training.epochs": 1,
        "training.validation_prefixes": 1_024,
    }
    figures = train_some(load_config(arguments.config, settings), arguments.steps, arguments.read_sessions)
    atomic_write(arguments.output, json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
