"""Training of a model: epochs, validation, early stopping, checkpoints, resuming.

Why not Transformers4Rec's own `Trainer` (which works too, see `transformers4rec_trainer.py`): it cannot
resume inside an epoch of the Merlin loader, its checkpoints are pickles, and its evaluation keeps the
scores of all items for all prefixes.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, Protocol

import torch
from safetensors.torch import load_file
from torch import Tensor

from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.config import EvaluationConfig, TrainingConfig
from m2trec_merlin.errors import M2TRecError
from m2trec_merlin.evaluation.metrics import hit_and_mrr
from m2trec_merlin.evaluation.ranking import evaluate
from m2trec_merlin.model.m2trec import M2TRec
from m2trec_merlin.model.scoring import ModelScorer
from m2trec_merlin.model.session_batch import SessionBatch
from m2trec_merlin.model.storage import save_weights
from m2trec_merlin.progress import SILENT, Progress
from m2trec_merlin.sessions import Prefixes
from m2trec_merlin.training.captured_steps import CapturedSteps, TrainStep
from m2trec_merlin.training.checkpoint import Checkpoints, TrainingState, load_checkpoint
from m2trec_merlin.training.hardware import choose_precision
from m2trec_merlin.training.loader import SessionLoader
from m2trec_merlin.training.optimizer import Optimizers, build_optimizer, clip_gradients
from m2trec_merlin.training.processes import ALONE, Processes
from m2trec_merlin.training.schedule import learning_rate

#: Number of steps after which their losses are read, by type of device; on others after each step.
_LOSSES_AT_ONCE = {"cuda": 20}


class Monitor(Protocol):
    """Receives the events of a training: a progress bar, TensorBoard, a test."""

    def start(self, total_steps: int, state: TrainingState) -> None:
        """Handle the start, or the resumption, of training."""

    def step(self, state: TrainingState, loss: float) -> None:
        """Handle the end of a step."""

    def epoch(self, state: TrainingState) -> None:
        """Handle the end of an epoch and its validation; its record is the last one of the history."""

    def close(self) -> None:
        """Handle the end of training, finished or failed; called by the code that created the monitor."""


class _Losses:
    """Losses that were not read yet. On a GPU several are read at a time, since reading waits for it."""

    def __init__(self, device: torch.device) -> None:
        self._at_once = _LOSSES_AT_ONCE.get(device.type, 1)
        self._waiting: list[Tensor] = []

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def are_due(self) -> bool:
        """Whether it is time to read the losses."""
        return len(self) >= self._at_once

    def append(self, loss: Tensor) -> None:
        """Add the loss of a step."""
        self._waiting.append(loss)

    def read(self) -> list[float]:
        """Return and remove all losses."""
        waiting, self._waiting = self._waiting, []
        return torch.stack(waiting).tolist() if waiting else []


def _rank_of(record: Mapping[str, Any]) -> tuple[float, float]:
    return record["HIT@20"], record["MRR@20"]


@dataclass(frozen=True)
class Trainer:
    """Trains a model on sessions and leaves it with the weights of its best epoch.

    Attributes:
        model: the model to train.
        catalogue: catalogue of the model.
        loader: loader of the training sessions.
        validation: prefixes to score after each epoch; without any, training never stops early.
        config: settings of optimisation, stopping and checkpoints.
        checkpoints: checkpoints that are written, and resumed from.
        monitor: receives the events of the training.
        processes: the processes that train together; the first one validates, and writes all files.
        captured: whether steps are CUDA graphs; see `cannot_capture`.
        evaluation: settings of validation; cut-offs are ignored, since HIT@20 and MRR@20 are measured.
        progress: receives a line on checkpoints that cannot be read.
    """

    model: M2TRec
    catalogue: Catalogue
    loader: SessionLoader
    validation: Prefixes
    config: TrainingConfig
    checkpoints: Checkpoints
    monitor: Monitor
    processes: Processes = ALONE
    captured: bool = False
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    progress: Progress = SILENT

    def train(self, seed: int, resume: bool = True) -> TrainingState:
        """Train until the last epoch or until validation stops improving.

        Args:
            seed: seed of dropout and negatives.
            resume: whether to resume from the newest checkpoint with the same inputs, if there is one.

        Raises:
            M2TRecError: the loss is not a number.
        """
        torch.manual_seed(seed + self.processes.rank)
        optimizer = build_optimizer(self.model, self.config, self.captured)
        step: TrainStep = partial(self._step, optimizer=optimizer)
        if self.captured:
            step = CapturedSteps(step, self.model.max_length)
        state = TrainingState()
        checkpoint = self.checkpoints.find(self.progress) if resume else None
        # All processes must have searched before the first one may write a checkpoint.
        self.processes.wait()
        if checkpoint is not None:
            state = load_checkpoint(checkpoint, self.model, optimizer, self.processes)
        self.monitor.start(self.total_steps, state)
        while not self._is_over(state):
            self._train_epoch(step, optimizer, state)
            self._validate(state)
            self.checkpoints.save(self.model, optimizer, state, self.processes)
        if state.best_epoch:
            self.processes.wait()
            self.model.load_state_dict(load_file(self.checkpoints.best_weights(state.best_epoch)))
        return state

    @property
    def _device(self) -> torch.device:
        return next(self.model.parameters()).device

    @property
    def total_steps(self) -> int:
        """Number of steps of all epochs, if training does not stop early."""
        steps = self.config.epochs * len(self.loader)
        return min(steps, self.config.max_steps or steps)

    @cached_property
    def precision(self) -> torch.dtype:
        """Type of the matrix products."""
        return choose_precision(self.config.precision, self._device, self.loader.events_a_batch)

    def _is_over(self, state: TrainingState) -> bool:
        stalled = state.best_epoch > 0 and state.epoch - state.best_epoch >= self.config.patience
        return stalled or state.step >= self.total_steps

    def _train_epoch(self, do: TrainStep, optimizer: Optimizers, state: TrainingState) -> None:
        self.model.train()
        started = time.perf_counter()
        every = self.config.checkpoint_steps
        losses = _Losses(self._device)
        for batch in self.loader.batches(state.epoch, skip=state.step_in_epoch):
            step = state.step + len(losses)
            optimizer.set_learning_rate(learning_rate(step, self.total_steps, self.config))
            losses.append(do(batch))
            step += 1
            is_last = step >= self.total_steps
            in_epoch = state.step_in_epoch + len(losses)
            saves = every is not None and step % every == 0 and in_epoch < len(self.loader)
            if losses.are_due or is_last or saves:
                self._count(losses, state)
            if is_last:
                break
            if saves:
                self.checkpoints.save(self.model, optimizer, state, self.processes)
        self._count(losses, state)
        state.history.append(
            {
                "epoch": state.epoch + 1,
                "loss": state.loss_sum / state.step_in_epoch,
                "seconds": time.perf_counter() - started,
            }
        )
        state.epoch += 1
        state.step_in_epoch, state.loss_sum = 0, 0.0

    def _count(self, losses: _Losses, state: TrainingState) -> None:
        """Read the losses, and count their steps.

        Raises:
            M2TRecError: a loss is not a finite number.
        """
        for value in losses.read():
            if not math.isfinite(value):
                raise M2TRecError(
                    f"the loss became {value} at step {state.step}: lower training.learning_rate "
                    f"(now {self.config.learning_rate})"
                )
            state.step += 1
            state.step_in_epoch += 1
            state.loss_sum += value
            self.monitor.step(state, value)

    def _step(self, batch: SessionBatch, optimizer: Optimizers) -> Tensor:
        """Update the weights; returns the loss before the update, without waiting for the device."""
        parameters = list(self.model.parameters())
        with self._in_precision():
            loss = self.model(batch, training=True)["loss"]
        optimizer.zero_grad()
        loss.backward()
        mean = self.processes.average_gradients(parameters, loss, batch.n_targets)
        clip_gradients(parameters, self.config.clip_norm)
        optimizer.step()
        return mean

    def _validate(self, state: TrainingState) -> None:
        """Measure validation; save the weights if HIT@20, and among ties MRR@20, is the best so far."""
        record = state.history[-1]
        if len(self.validation):
            started = time.perf_counter()
            measured = self._measure() if self.processes.is_first else [0.0, 0.0]
            record["HIT@20"], record["MRR@20"] = self.processes.first_says(measured, self._device)
            record["validation_seconds"] = time.perf_counter() - started
            best = state.history[state.best_epoch - 1] if state.best_epoch else {}
            # With 20 items or fewer, HIT@20 is always 1, and only MRR@20 tells epochs apart.
            if not best or _rank_of(record) > _rank_of(best):
                state.best_epoch, state.best_value = state.epoch, record["HIT@20"]
                if self.processes.is_first:
                    save_weights(self.model, self.checkpoints.best_weights(state.best_epoch))
        self.monitor.epoch(state)

    def _measure(self) -> list[float]:
        settings = self.evaluation.model_copy(update={"ks": [20], "baselines": []})
        outcome = evaluate(ModelScorer(self.model), self.validation, self.catalogue, settings)
        return list(hit_and_mrr(outcome, 20))

    def _in_precision(self) -> AbstractContextManager[object]:
        if self.precision == torch.float32:
            return nullcontext()
        # Autocast's cache would hold tensors of another graph.
        return torch.autocast(self._device.type, dtype=self.precision, cache_enabled=not self.captured)
