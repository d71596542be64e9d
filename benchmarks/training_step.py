"""Training throughput of our modes and precisions on the same batches of preprocessed sessions.

    python -m benchmarks training-step -c configs/instacart.yaml

Each system sees the same sessions in the same order. They take turns batch by batch, so that other load on
the machine affects all of them equally.
"""

from __future__ import annotations

import statistics
import time
from argparse import Namespace
from itertools import islice
from typing import Any

import torch

from benchmarks.frame.parse import Parser, read
from benchmarks.frame.prepare import Prepared, prepare
from benchmarks.frame.publish import Records, publish, table
from m2trec_merlin.model.m2trec import M2TRec, build_model
from m2trec_merlin.model.session_batch import SessionBatch
from m2trec_merlin.training.hardware import choose_precision
from m2trec_merlin.training.optimizer import build_optimizer

WARM_UP = 2

#: The others are compared with the first one.
SYSTEMS: dict[str, dict[str, Any]] = {
    "causal": {"mode": "causal"},
    "causal, float32": {"mode": "causal", "precision": "float32"},
    "causal, bfloat16": {"mode": "causal", "precision": "bfloat16"},
    "bidirectional": {"mode": "bidirectional"},
    "causal, full softmax": {"mode": "causal", "loss": "full"},
}


def options(parser: Parser) -> None:
    parser.add_config("configs/instacart.yaml")
    parser.add_argument("--steps", type=int, default=20, help="timed steps of each system (default: 20)")


def run(options: Namespace) -> None:
    records = measure(prepare(read(options)), options.steps, options.stamp.commit)
    heads = ["system", "targets/s", "seconds a step, ratio to ours"]
    rows = [[r.system, f"{r.value:,}", f"{r.ratio_to_ours:.2f}"] for r in records]
    title = "A training step, by mode and precision"
    parts = [table(heads, rows)]
    print(publish(options.output, "training_step", records, options.stamp, title=title, parts=parts))


class System:
    """A model with its optimiser, and the seconds of its steps."""

    def __init__(self, data: Prepared, settings: dict[str, Any]) -> None:
        config, model = data.config, data.config.model
        session = model.session.model_copy(update={"mode": settings["mode"]})
        next_item = model.next_item.model_copy(update={"loss": settings.get("loss", "sampled")})
        changed = model.model_copy(update={"session": session, "next_item": next_item})
        torch.manual_seed(config.seed)
        self.model: M2TRec = build_model(
            config.model_copy(update={"model": changed}), data.catalogue, data.max_length
        )
        self.optimizer = build_optimizer(self.model, config.training)
        events = data.loader().events_a_batch
        self.precision = choose_precision(settings.get("precision", "auto"), torch.device("cpu"), events)
        self.seconds: list[float] = []

    def step(self, batch: SessionBatch) -> None:
        started = time.perf_counter()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.precision == torch.bfloat16):
            loss = self.model(batch, training=True)["loss"]
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.seconds.append(time.perf_counter() - started)


def measure(data: Prepared, steps: int, commit: str) -> Records:
    """Return one record per system."""
    systems = {name: System(data, settings) for name, settings in SYSTEMS.items()}
    targets = []
    for batch in islice(data.loader().batches(0), WARM_UP + steps):
        targets.append(int(batch.n_targets))
        for system in systems.values():
            system.step(batch)
    seconds = {name: statistics.median(s.seconds[WARM_UP:]) for name, s in systems.items()}
    typical = statistics.median(targets[WARM_UP:])
    ours = next(iter(seconds.values()))
    records = Records(data.config.name, commit)
    for name, value in seconds.items():
        records.add(name, "targets/s", round(typical / value), "1/s", round(value / ours, 2))
    return records
