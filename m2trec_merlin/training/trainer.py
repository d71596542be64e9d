"""Train a model: epochs, validation, early stopping, checkpoints, resume.

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
from pathlib import Path
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
from m2trec_merlin.training.checkpoint import (
    TrainingState,
    best_epochs,
    find_checkpoint,
    load_checkpoint,
    save_checkpoint,
)
from m2trec_merlin.training.hardware import choose_precision
from m2trec_merlin.training.loader import SessionLoader
from m2trec_merlin.training.optimizer import Optimizers, build_optimizer, clip_gradients
from m2trec_merlin.training.processes import ALONE, Processes
from m2trec_merlin.training.schedule import learning_rate

#: Weights by the epoch that they are of: a killed training has those that its checkpoint speaks of.
_BEST, _BESTS = "best-{:04d}.safetensors", "best-*.safetensors"
#: Steps after which their losses are looked at, by the type of device; elsewhere after each.
_LOSSES_AT_ONCE = {"cuda": 20}


class Monitor(Protocol):
    """Is told how training goes: a progress bar, TensorBoard, a test."""

    def start(self, total_steps: int, state: TrainingState) -> None:
        """Training starts or resumes."""

    def step(self, state: TrainingState, loss: float) -> None:
        """A step ended."""

    def epoch(self, state: TrainingState) -> None:
        """An epoch and its validation ended; its record is the last of the history."""

    def close(self) -> None:
        """Nothing will follow, whether training is done or has failed; whoever made the monitor says so."""


class _Losses:
    """Losses of the last steps. A GPU is asked for some at a time: each question waits for its work."""

    def __init__(self, device: torch.device) -> None:
        self._at_once = _LOSSES_AT_ONCE.get(device.type, 1)
        self._waiting: list[Tensor] = []

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def are_due(self) -> bool:
        """Whether it is time to read them."""
        return len(self) >= self._at_once

    def append(self, loss: Tensor) -> None:
        """Take over the loss of a step."""
        self._waiting.append(loss)

    def read(self) -> list[float]:
        """Return the losses, and forget them."""
        waiting, self._waiting = self._waiting, []
        return torch.stack(waiting).tolist() if waiting else []


def _rank_of(record: Mapping[str, Any]) -> tuple[float, float]:
    return record["HIT@20"], record["MRR@20"]


@dataclass(frozen=True)
class Trainer:
    """Trains a model on sessions and leaves it with the weights of its best epoch.

    Attributes:
        model: to train.
        catalogue: its items.
        loader: training sessions.
        validation: prefixes that are scored after each epoch; without any, training never stops early.
        config: optimisation, stopping, checkpoints.
        folder: of checkpoints.
        inputs: fingerprint of model and data; a checkpoint of other inputs is not resumed.
        monitor: is told how it goes.
        processes: that train together; the first one validates, and writes what is written.
        captured: whether steps are CUDA graphs; see `cannot_capture`.
        evaluation: how validation is ranked, but for cut-offs: by HIT@20 and MRR@20 of the model alone.
        progress: is told of checkpoints that cannot be read.
    """

    model: M2TRec
    catalogue: Catalogue
    loader: SessionLoader
    validation: Prefixes
    config: TrainingConfig
    folder: Path
    inputs: str
    monitor: Monitor
    processes: Processes = ALONE
    captured: bool = False
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    progress: Progress = SILENT

    def train(self, seed: int, resume: bool = True) -> TrainingState:
        """Train until the last epoch or until validation stops improving.

        Args:
            seed: of dropout and negatives.
            resume: go on from the newest checkpoint of the same inputs, if there is one.

        Raises:
            M2TRecError: the loss is not a number.
        """
        torch.manual_seed(seed + self.processes.rank)
        optimizer = build_optimizer(self.model, self.config, self.captured)
        step: TrainStep = partial(self._step, optimizer=optimizer)
        if self.captured:
            step = CapturedSteps(step, self.model.max_length)
        state = TrainingState()
        checkpoint = find_checkpoint(self.folder, self.inputs, self.progress) if resume else None
        # All have looked before the first one may write another.
        self.processes.wait()
        if checkpoint is not None:
            state = load_checkpoint(checkpoint, self.model, optimizer, self.processes)
        self.monitor.start(self.total_steps, state)
        while not self._is_over(state):
            self._train_epoch(step, optimizer, state)
            self._validate(state)
            self._save(optimizer, state)
        if state.best_epoch:
            self.processes.wait()
            self.model.load_state_dict(load_file(self._best(state.best_epoch)))
        return state

    @property
    def _device(self) -> torch.device:
        return next(self.model.parameters()).device

    @property
    def total_steps(self) -> int:
        """Steps of all epochs, if none is left out for want of progress."""
        steps = self.config.epochs * len(self.loader)
        return min(steps, self.config.max_steps or steps)

    @cached_property
    def precision(self) -> torch.dtype:
        """Type of the matrix products."""
        return choose_precision(self.config.precision, self._device, self.loader.events_a_batch)

    def _is_over(self, state: TrainingState) -> bool:
        stalled = state.best_epoch > 0 and state.epoch - state.best_epoch >= self.config.patience
        return stalled or state.step >= self.total_steps

    def _save(self, optimizer: Optimizers, state: TrainingState) -> None:
        save_checkpoint(self.folder, self.model, optimizer, state, self.inputs, self.processes)
        if self.processes.is_first:
            # The checkpoint before the newest may be gone on from, too.
            wanted = {self._best(epoch) for epoch in best_epochs(self.folder)}
            for path in set(self.folder.glob(_BESTS)) - wanted:
                path.unlink()

    def _best(self, epoch: int) -> Path:
        return self.folder / _BEST.format(epoch)

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
                self._save(optimizer, state)
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
        """Count the steps whose losses were not read yet.

        Raises:
            M2TRecError: one is not a number.
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
        """Update the weights; returns the loss before, which nobody has waited for."""
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
        """Measure validation; keep the weights if HIT@20, and at equal ones MRR@20, is the best so far."""
        record = state.history[-1]
        if len(self.validation):
            started = time.perf_counter()
            measured = self._measure() if self.processes.is_first else [0.0, 0.0]
            record["HIT@20"], record["MRR@20"] = self.processes.first_says(measured, self._device)
            record["validation_seconds"] = time.perf_counter() - started
            best = state.history[state.best_epoch - 1] if state.best_epoch else {}
            # Of 20 items and fewer, HIT@20 is 1 in every epoch.
            if not best or _rank_of(record) > _rank_of(best):
                state.best_epoch, state.best_value = state.epoch, record["HIT@20"]
                if self.processes.is_first:
                    save_weights(self.model, self._best(state.best_epoch))
        self.monitor.epoch(state)

    def _measure(self) -> list[float]:
        settings = self.evaluation.model_copy(update={"ks": [20], "baselines": []})
        outcome = evaluate(ModelScorer(self.model), self.validation, self.catalogue, settings)
        return list(hit_and_mrr(outcome, 20))

    def _in_precision(self) -> AbstractContextManager[object]:
        if self.precision == torch.float32:
            return nullcontext()
        # What the cache holds would be of another graph.
        return torch.autocast(self._device.type, dtype=self.precision, cache_enabled=not self.captured)
