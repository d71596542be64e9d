"""Train on the device: seconds per epoch, targets per second, quality of each epoch, use of the device.

Steps run kernel by kernel, and as CUDA graphs. The first steps also run on the CPU, where their losses must
be the same as on the device.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.frame.prepare import Prepared
from benchmarks.gpu.runs import runs_of
from benchmarks.gpu.step import Step
from m2trec_merlin.config import Config
from m2trec_merlin.model.losses import candidate_cross_entropy
from m2trec_merlin.model.m2trec import M2TRec, build_model, fit_before_training
from m2trec_merlin.model.session_batch import SessionBatch
from m2trec_merlin.sessions import Sessions
from m2trec_merlin.training.captured_steps import CapturedSteps
from m2trec_merlin.training.checkpoint import Checkpoints, TrainingState
from m2trec_merlin.training.loader import SessionLoader
from m2trec_merlin.training.optimizer import build_optimizer, clip_gradients
from m2trec_merlin.training.trainer import Trainer

#: Numbers of steps: timed, before that for warm-up, profiled, and compared with the CPU.
STEPS, WARM_UP, PROFILED, COMPARED = 100, 40, 5, 5
#: Prefixes, items and width of a full softmax.
SOFTMAX = (2_048, 575_000, 128)
SOFTMAX_IN_A_REHEARSAL = (16, 1_000, 8)


def main(step: Step) -> None:
    """Train each run in each precision; the longest measurements come last."""
    with runs_of(step) as runs:
        for data in runs:
            for precision in ("bfloat16", "float32"):
                for graphs in (False, True):
                    of = {"run": data.config.name, "precision": precision, "CUDA graphs": graphs}
                    step.attempt("a step", partial(measure_step, step, data, precision, graphs, of))
            step.attempt("losses of the CPU", partial(compare_losses, step, data))
        for kind in (torch.bfloat16, torch.float32):
            step.attempt("softmax", partial(measure_softmax, step, kind))
        for graphs in (False, True) if step.device == "cuda" else (False,):
            for data in runs:
                step.attempt("time to quality", partial(train, step, data, graphs))


def measure_step(step: Step, data: Prepared, precision: str, graphs: bool, of: dict[str, Any]) -> None:
    """Time single steps, as in an epoch of endless data."""
    config = _on(data.config, step.device, precision)
    model, loader = _build(data, config, step.device)
    optimizer = build_optimizer(model, config.training, captured=graphs and step.device == "cuda")
    parameters = list(model.parameters())
    kind = torch.bfloat16 if precision == "bfloat16" else None

    def forward_and_backward(batch: SessionBatch) -> torch.Tensor:
        with torch.autocast(step.device, dtype=kind, enabled=kind is not None, cache_enabled=not graphs):
            loss: torch.Tensor = model(batch, training=True)["loss"]
        optimizer.zero_grad()
        loss.backward()
        return loss.detach()

    def whole(batch: SessionBatch) -> torch.Tensor:
        loss = forward_and_backward(batch)
        clip_gradients(parameters, config.training.clip_norm)
        optimizer.step()
        return loss

    do: Callable[[SessionBatch], torch.Tensor] = whole
    if graphs:
        # In a rehearsal, steps are repeated without a graph.
        do = CapturedSteps(whole, model.max_length, None if step.device == "cuda" else lambda again: again)
    if step.device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    targets: list[torch.Tensor] = []
    batches = loader.batches(0)
    for number, batch in enumerate(islice(batches, WARM_UP + STEPS)):
        if number == (1 if step.rehearsal else WARM_UP):
            step.wait()
            started, targets = time.perf_counter(), []
        do(batch)
        targets.append(batch.n_targets)
    step.wait()
    seconds, n_steps = time.perf_counter() - started, len(targets)
    step.add("step", round(seconds / n_steps, 6), "s", **of)
    step.add("targets", round(int(sum(targets)) / seconds), "1/s", **of)
    if step.device == "cuda":
        step.add("memory", torch.cuda.max_memory_allocated(), "B", **of)
        step.attempt("profile", lambda: _profile(step, do, list(islice(batches, PROFILED)), of))
    with FlopCounterMode(display=False) as counter:
        forward_and_backward(batch)
    rate = counter.get_total_flops() * n_steps / seconds
    size = 64 if step.rehearsal else 8192
    square = torch.randn(size, size, device=step.device, dtype=kind or torch.float32)
    most = 2 * size**3 / step.seconds(lambda: square @ square)
    step.add("multiplied", round(rate / 1e12, 3), "TFLOP/s", **of)
    step.add("MFU", round(rate / most, 5), "share of a large matrix product's", **of)


def _profile(
    step: Step,
    do: Callable[[SessionBatch], torch.Tensor],
    batches: Sequence[SessionBatch],
    of: dict[str, Any],
) -> None:
    """Count the kernels of a step, and the share of the time in which any kernel runs."""
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as seen:
        started = time.perf_counter()
        for batch in batches:
            do(batch)
        step.wait()
        seconds = time.perf_counter() - started
    kernels = [event for event in seen.events() if event.device_type == torch.autograd.DeviceType.CUDA]
    busy = sum(kernel.time_range.elapsed_us() for kernel in kernels) / 1e6
    step.add("kernels", round(len(kernels) / len(batches)), "1/step", **of)
    step.add("busy", round(busy / seconds, 3), "share of the time, profiled", **of)


def measure_softmax(step: Step, kind: torch.dtype) -> None:
    """Measure time of loss and gradients of a full softmax, and its memory besides the inputs."""
    prefixes, items, width = SOFTMAX_IN_A_REHEARSAL if step.rehearsal else SOFTMAX
    queries = torch.randn(prefixes, width, device=step.device, requires_grad=True)
    candidates = torch.randn(items, width, device=step.device, requires_grad=True)
    biases, targets = queries.new_zeros(items), torch.randint(items, (prefixes,), device=step.device)
    pairs = targets[:0]

    def whole() -> None:
        with torch.autocast(step.device, dtype=kind, enabled=kind != torch.float32):
            loss = candidate_cross_entropy(
                queries, candidates, biases, targets, pairs, pairs, queries.new_empty(0)
            )
        torch.autograd.grad(loss, [queries, candidates])

    of = {"prefixes": prefixes, "items": items, "width": width, "precision": str(kind)}
    if step.device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
    step.add("full softmax", round(step.seconds(whole), 5), "s", **of)
    if step.device == "cuda":
        step.add("memory", torch.cuda.max_memory_allocated() - before, "B", **of)


def compare_losses(step: Step, data: Prepared) -> None:
    """Take a few steps on both devices, with all items as candidates and without dropout."""
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


def train(step: Step, data: Prepared, graphs: bool) -> None:
    """Train as `m2trec train` does, and add every epoch to the figures when it ends."""
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
            Checkpoints(Path(folder) / "checkpoints", "gpu"),
            _Epochs(step, {"run": data.config.name, "CUDA graphs": graphs}),
            captured=graphs,
        )
        trainer.train(config.seed, resume=False)


class _Epochs:
    """A monitor that adds each epoch to the figures."""

    def __init__(self, step: Step, of: dict[str, Any]) -> None:
        self._step, self._of = step, of

    def start(self, total_steps: int, state: TrainingState) -> None:
        self._step.add("steps", total_steps, **self._of)

    def step(self, state: TrainingState, loss: float) -> None:
        pass

    def epoch(self, state: TrainingState) -> None:
        self._step.add("epoch", state.history[-1], **self._of)

    def close(self) -> None:
        pass


def _build(data: Prepared, config: Config, device: str) -> tuple[M2TRec, SessionLoader]:
    torch.manual_seed(config.seed)
    model = build_model(config, data.catalogue, data.max_length)
    sessions = data.run.sessions("train")
    fit_before_training(model, data.catalogue, lambda: Sessions.load(sessions))
    return model.to(device), SessionLoader(sessions, data.batch_size, config.seed, device)


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
