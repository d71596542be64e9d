"""Train stock Transformers4Rec on the same device with its own `Trainer`: time and HIT@20 of each epoch."""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from transformers import TrainerCallback

from benchmarks.frame.prepare import Prepared
from benchmarks.gpu.runs import runs_of
from benchmarks.gpu.step import Step
from benchmarks.runners.data import cut_prefixes, scorer
from benchmarks.runners.exchange import Exchange, Flat, Job, top_lists
from benchmarks.runners.run_transformers4rec import best_of, build, build_trainer, item_schema
from benchmarks.training.systems import SYSTEMS

SYSTEM = "Transformers4Rec, sampled softmax"
EPOCHS, PREFIXES = 3, 20_000


def main(step: Step) -> None:
    """Train on each run."""
    with runs_of(step) as runs:
        for data in runs:
            step.attempt(SYSTEM, lambda: measure(step, data))  # noqa: B023


def measure(step: Step, data: Prepared) -> None:
    """Train for some epochs on the same sessions as our model."""
    config, length = data.config, int(data.train.lengths.max())
    prefixes = data.prefixes("valid", PREFIXES)
    exchange = Exchange(
        Flat(data.train.rows, data.train.offsets).last(length), cut_prefixes(prefixes, length)
    )
    (system,) = (system for system in SYSTEMS if system.name == SYSTEM)
    settings = system.settings(config)
    job = Job("", "", "", length, data.catalogue.n_rows, 0, 0, 0, config.seed, settings)
    schema = item_schema(int(exchange.items.max()) + 1, length)
    torch.manual_seed(config.seed)
    model = build(job, schema).to(step.device)
    score = scorer(prefixes, data.catalogue)

    def quality() -> tuple[float, float]:
        model.eval()
        best = best_of(model, exchange.items, length)
        found = score(top_lists(exchange.known_prefixes(), best))
        model.train()
        return found

    epochs = _Epochs(step, config.name, quality, exchange.n_targets)
    with TemporaryDirectory() as folder:
        on_gpu = step.device == "cuda"
        build_trainer(model, schema, exchange.train, job, EPOCHS, Path(folder), epochs, on_gpu).train()


class _Epochs(TrainerCallback):  # type: ignore[misc]
    """A callback that adds each epoch to the figures, without the time to measure the quality."""

    def __init__(self, step: Step, run: str, quality: Any, n_targets: int) -> None:
        self._step, self._run, self._quality, self._n_targets = step, run, quality, n_targets
        self._started, self._epoch = 0.0, 0

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._started = time.perf_counter()

    def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._step.wait()
        seconds = time.perf_counter() - self._started
        self._epoch += 1
        hit, mrr = self._quality()
        epoch = {"epoch": self._epoch, "seconds": round(seconds, 3), "HIT@20": hit, "MRR@20": mrr}
        self._step.add("epoch", epoch, run=self._run)
        self._step.add("targets", round(self._n_targets / seconds), "1/s", run=self._run)


if __name__ == "__main__":
    main(Step.of())
