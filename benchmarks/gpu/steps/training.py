"""Training on the device: seconds an epoch, targets a second, quality after each, how well it is used.

Then the first steps again on the CPU: their losses must be those of the device.
"""

from __future__ import annotations

import time
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.frame.prepare import Prepared
from benchmarks.gpu.runs import runs_of
from benchmarks.gpu.step import Step
from m2trec_merlin.config import Config
from m2trec_merlin.model.m2trec import M2TRec, build_model, fit_before_training
from m2trec_merlin.training.checkpoint import TrainingState
from m2trec_merlin.training.loader import SessionLoader
from m2trec_merlin.training.optimizer import build_optimizer, clip_gradients
from m2trec_merlin.training.trainer import Trainer

#: Timed after some to warm up, and compared with the CPU.
STEPS, WARM_UP, COMPARED = 50, 10, 5


def main(step: Step) -> None:
    """Train each run in each precision; what takes longest comes last."""
    with runs_of(step) as runs:
        for data in runs:
            for precision in ("bfloat16", "float32"):
                of = {"run": data.config.name, "precision": precision}
                step.attempt("a step", lambda: measure_step(step, data, precision, of))  # noqa: B023
            step.attempt("losses of the CPU", lambda: compare_losses(step, data))  # noqa: B023
        for data in runs:
            step.attempt("time to quality", lambda: train(step, data))  # noqa: B023


def measure_step(step: Step, data: Prepared, precision: str, of: dict[str, str]) -> None:
    """Time single steps: what an epoch of endless data would cost."""
    config = _on(data.config, step.device, precision)
    model, loader = _build(data, config, step.device)
    optimizer = build_optimizer(model, config.training)
    parameters = list(model.parameters())
    kind = torch.bfloat16 if precision == "bfloat16" else None

    def forward_and_backward(batch: object) -> None:
        with torch.autocast(step.device, dtype=kind, enabled=kind is not None):
            loss = model(batch, training=True)["loss"]
        optimizer.zero_grad()
        loss.backward()

    targets: list[int] = []
    for number, batch in enumerate(islice(loader.batches(0), WARM_UP + STEPS)):
        if number == (1 if step.rehearsal else WARM_UP):
            step.wait()
            started, targets = time.perf_counter(), []
        forward_and_backward(batch)
        clip_gradients(parameters, config.training.clip_norm)
        optimizer.step()
        targets.append(batch.n_targets)
    step.wait()
    seconds, n_steps = time.perf_counter() - started, len(targets)
    with FlopCounterMode(display=False) as counter:
        forward_and_backward(batch)
    step.add("step", round(seconds / n_steps, 6), "s", **of)
    step.add("targets", round(sum(targets) / seconds), "1/s", **of)
    rate = counter.get_total_flops() * n_steps / seconds / 1e12
    step.add("multiplied", round(rate, 3), "TFLOP/s", **of)
    if step.device == "cuda":
        step.add("memory", torch.cuda.max_memory_allocated(), "B", **of)


def compare_losses(step: Step, data: Prepared) -> None:
    """Take a few steps on both devices, with all items as candidates and nothing dropped."""
    losses: dict[str, list[float]] = {}
    for device in ("cpu", step.device):
        config = _without_chance(_on(data.config, device, "float32"))
        model, loader = _build(data, config, device)
        optimizer = build_optimizer(model, config.training)
        losses[device] = []
        for batch in islice(loader.batches(0), COMPARED):
            loss = model(batch, training=True)["loss"]
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses[device].append(loss.item())
    step.add("losses", losses, run=data.config.name)


def train(step: Step, data: Prepared) -> None:
    """Train as `m2trec train` does, and add every epoch as it ends."""
    config = _on(data.config, step.device, "auto")
    model, loader = _build(data, config, step.device)
    with TemporaryDirectory() as folder:
        validation = data.prefixes("valid", config.training.validation_prefixes)
        trainer = Trainer(
            model,
            data.catalogue,
            loader,
            validation,
            config.training,
            Path(folder) / "checkpoints",
            "gpu",
            _Epochs(step, data.config.name),
        )
        trainer.train(config.seed, resume=False)


class _Epochs:
    """Adds each epoch to the figures."""

    def __init__(self, step: Step, run: str) -> None:
        self._step, self._run = step, run

    def start(self, total_steps: int, state: TrainingState) -> None:
        self._step.add("steps", total_steps, run=self._run)

    def step(self, state: TrainingState, loss: float) -> None:
        pass

    def epoch(self, state: TrainingState) -> None:
        self._step.add("epoch", state.history[-1], run=self._run)

    def close(self) -> None:
        pass


def _build(data: Prepared, config: Config, device: str) -> tuple[M2TRec, SessionLoader]:
    torch.manual_seed(config.seed)
    model = build_model(config, data.catalogue)
    fit_before_training(model, data.catalogue)
    sessions = data.run.sessions("train")
    return model.to(device), SessionLoader(sessions, config.training.batch_size, config.seed, device)


def _on(config: Config, device: str, precision: str) -> Config:
    training = config.training.model_copy(update={"device": device, "precision": precision})
    return config.model_copy(update={"training": training})


def _without_chance(config: Config) -> Config:
    model = config.model
    changed = model.model_copy(
        update={
            "attribute_dropout": 0.0,
            "session": model.session.model_copy(update={"dropout": 0.0}),
            "next_item": model.next_item.model_copy(
                update={"loss": "full", "residual_dropout": 0.0, "candidate_dropout": 0.0}
            ),
        }
    )
    return config.model_copy(update={"model": changed})


if __name__ == "__main__":
    main(Step.of())
