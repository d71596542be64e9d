"""Runner of our own model; no other module of this benchmark uses our trainer."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
import torch

from benchmarks.runners.exchange import TOP, Exchange, Flat, Job, top_lists
from benchmarks.runners.meter import BudgetSpent, Meter, run
from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.config import Config
from m2trec_merlin.evaluation.ranking import top_rows
from m2trec_merlin.model.m2trec import build_model, fit_before_training
from m2trec_merlin.model.scoring import ModelScorer
from m2trec_merlin.runs import Run
from m2trec_merlin.sessions import Prefixes, Sessions, count_sessions, session_files
from m2trec_merlin.training.checkpoint import Checkpoints, TrainingState
from m2trec_merlin.training.loader import SessionLoader
from m2trec_merlin.training.trainer import Trainer


class MeterMonitor:
    """A monitor that reports the trainer's steps and epochs to the meter."""

    def __init__(self, meter: Meter, sessions: float, targets: float) -> None:
        self.meter = meter
        self.sessions = sessions
        self.targets = targets

    def start(self, total_steps: int, state: TrainingState) -> None:
        self.meter.start()

    def step(self, state: TrainingState, loss: float) -> None:
        if self.meter.step(self.sessions, self.targets):
            raise BudgetSpent

    def epoch(self, state: TrainingState) -> None:
        if self.meter.epoch():
            raise BudgetSpent

    def close(self) -> None:
        """Do nothing."""


def main(job: Job) -> None:
    torch.set_num_threads(job.threads)
    config = Config.model_validate(job.settings["config"])
    exchange = Exchange.load(Path(job.data))
    catalogue = Catalogue.load(Run(config).catalogue)
    torch.manual_seed(job.seed)
    model = build_model(config, catalogue, job.max_length)
    train = Path(job.train_folder)
    fit_before_training(model, catalogue, lambda: Sessions.load(train))
    loader = SessionLoader(train, config.training.batch_of(count_sessions(session_files(train))), job.seed)

    def rank() -> np.ndarray:
        training = model.training
        scorer = ModelScorer(model)
        lists = top_lists(exchange.prefixes, lambda block: top_rows(scorer.score(_prefixes(block)), TOP))
        model.train(training)
        return lists

    meter = Meter(job, rank)
    # The mean number of sessions and targets per batch, which is exact at the end of an epoch.
    monitor = MeterMonitor(meter, len(exchange.train) / len(loader), exchange.n_targets / len(loader))
    nothing = Prefixes(Sessions.from_lists([]), np.empty(0, np.int64), np.empty(0, np.int64))
    checkpoints = Checkpoints(Path(job.folder) / "checkpoints", "benchmark")
    trainer = Trainer(model, catalogue, loader, nothing, config.training, checkpoints, monitor)
    with suppress(BudgetSpent):
        trainer.train(job.seed, resume=False)
    meter.finish()


def _prefixes(block: Flat) -> Prefixes:
    return Prefixes(Sessions(block.rows, block.offsets), np.arange(len(block)), block.lengths)


if __name__ == "__main__":
    run(main)
