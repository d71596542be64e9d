"""Train a model: epochs, validation, early stopping, checkpoints, resume.

Why not Transformers4Rec's own `Trainer` (which works too, see `transformers4rec_trainer.py`): it cannot
resume inside an epoch of the Merlin loader, its checkpoints are pickles, and its evaluation keeps the
scores of all items for all prefixes.
"""

from __future__ import annotations

import math
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from safetensors.torch import load_file

from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.config import EvaluationConfig, TrainingConfig
from m2trec_merlin.errors import M2TRecError
from m2trec_merlin.evaluation.ranking import evaluate
from m2trec_merlin.model.m2trec import M2TRec
from m2trec_merlin.model.recommender import ModelRecommender
from m2trec_merlin.model.storage import save_weights
from m2trec_merlin.sessions import Prefixes
from m2trec_merlin.training.checkpoint import Progress, find_checkpoint, load_checkpoint, save_checkpoint
from m2trec_merlin.training.hardware import can_fuse_optimizer, choose_precision
from m2trec_merlin.training.loader import SessionLoader
from m2trec_merlin.training.schedule import learning_rate

_BEST = "best.safetensors"

#: Learning rate of the scorer's calibration, in multiples of the weights'.
CALIBRATION_RATE_FACTOR = 30.0


class Monitor(Protocol):
    """Is told how training goes: a progress bar, TensorBoard, a test."""

    def start(self, total_steps: int, progress: Progress) -> None:
        """Training starts or resumes."""

    def step(self, progress: Progress, loss: float) -> None:
        """A step ended."""

    def epoch(self, progress: Progress) -> None:
        """An epoch and its validation ended; its record is the last of the history."""


@dataclass(frozen=True)
class Trainer:
    """Trains a model on sessions and leaves it with the weights of its best epoch.

    Attributes:
        model: to train.
        catalogue: its items.
        loader: training sessions.
        validation: prefixes that are scored after each epoch; none stops early on nothing.
        config: optimisation, stopping, checkpoints.
        folder: of checkpoints.
        inputs: fingerprint of model and data; a checkpoint of other inputs is not resumed.
        monitor: is told how it goes.
    """

    model: M2TRec
    catalogue: Catalogue
    loader: SessionLoader
    validation: Prefixes
    config: TrainingConfig
    folder: Path
    inputs: str
    monitor: Monitor

    def train(self, seed: int, resume: bool = True) -> Progress:
        """Train until the last epoch or until validation stops improving.

        Args:
            seed: of dropout and negatives.
            resume: go on from the newest checkpoint of the same inputs, if there is one.

        Raises:
            M2TRecError: the loss is not a number.
        """
        torch.manual_seed(seed)
        optimizer = build_optimizer(self.model, self.config)
        progress = Progress()
        checkpoint = find_checkpoint(self.folder, self.inputs) if resume else None
        if checkpoint is not None:
            progress = load_checkpoint(checkpoint, self.model, optimizer)
        self.monitor.start(self.config.epochs * len(self.loader), progress)
        while progress.epoch < self.config.epochs and not self._has_stalled(progress):
            self._train_epoch(optimizer, progress)
            self._validate(progress)
            save_checkpoint(self.folder, self.model, optimizer, progress, self.inputs)
        if progress.best_epoch:
            self.model.load_state_dict(load_file(self.folder / _BEST))
        return progress

    @property
    def _device(self) -> torch.device:
        return next(self.model.parameters()).device

    def _has_stalled(self, progress: Progress) -> bool:
        return progress.best_epoch > 0 and progress.epoch - progress.best_epoch >= self.config.patience

    def _train_epoch(self, optimizer: torch.optim.Optimizer, progress: Progress) -> None:
        self.model.train()
        started = time.perf_counter()
        total_steps = self.config.epochs * len(self.loader)
        every = self.config.checkpoint_steps
        for batch in self.loader.batches(progress.epoch, skip=progress.step_in_epoch):
            rate = learning_rate(progress.step, total_steps, self.config)
            for group in optimizer.param_groups:
                group["lr"] = rate * group["rate_factor"]
            inputs = {name: tensor.to(self._device, non_blocking=True) for name, tensor in batch.items()}
            with self._precision():
                loss = self.model(inputs, training=True)["loss"]
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip_norm)
            optimizer.step()
            value = loss.item()
            if not math.isfinite(value):
                raise M2TRecError(
                    f"the loss became {value} at step {progress.step}: lower training.learning_rate "
                    f"(now {self.config.learning_rate})"
                )
            progress.step += 1
            progress.step_in_epoch += 1
            progress.loss_sum += value
            self.monitor.step(progress, value)
            if every and progress.step % every == 0 and progress.step_in_epoch < len(self.loader):
                save_checkpoint(self.folder, self.model, optimizer, progress, self.inputs)
        progress.history.append(
            {
                "epoch": progress.epoch + 1,
                "loss": progress.loss_sum / progress.step_in_epoch,
                "seconds": time.perf_counter() - started,
            }
        )
        progress.epoch += 1
        progress.step_in_epoch, progress.loss_sum = 0, 0.0

    def _validate(self, progress: Progress) -> None:
        """Measure HIT@20 and MRR@20 on validation; keep the weights if they are the best so far."""
        record = progress.history[-1]
        if len(self.validation):
            started = time.perf_counter()
            settings = EvaluationConfig(ks=[20], baselines=[])
            outcome = evaluate(ModelRecommender(self.model), self.validation, self.catalogue, settings)
            assert outcome.items is not None
            ranks = outcome.items.target
            record["HIT@20"] = float((ranks <= 20).mean())
            record["MRR@20"] = float((1 / ranks[ranks <= 20]).sum() / len(ranks))
            record["validation_seconds"] = time.perf_counter() - started
            if record["HIT@20"] > progress.best_value:
                progress.best_epoch, progress.best_value = progress.epoch, record["HIT@20"]
                save_weights(self.model, self.folder / _BEST)
        self.monitor.epoch(progress)

    def _precision(self) -> AbstractContextManager[object]:
        precision = choose_precision(self.config.precision, self._device)
        if precision == torch.float32:
            return nullcontext()
        return torch.autocast(self._device.type, dtype=precision)


def build_optimizer(model: M2TRec, config: TrainingConfig) -> torch.optim.Optimizer:
    """Return AdamW with two groups: weights, and the scorer's calibration, which moves faster."""
    calibration = model.next_item.calibration_parameters()
    known = {id(parameter) for parameter in calibration}
    weights = [p for p in model.parameters() if id(p) not in known]
    groups = [
        {"params": weights, "weight_decay": config.weight_decay, "rate_factor": 1.0},
        {"params": calibration, "weight_decay": 0.0, "rate_factor": CALIBRATION_RATE_FACTOR},
    ]
    return torch.optim.AdamW(
        [group for group in groups if group["params"]],
        lr=config.learning_rate,
        fused=can_fuse_optimizer(weights[0].device),
    )
