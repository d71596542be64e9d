"""Time of each part of a training step, compared with the least time that the machine allows.

    python -m benchmarks step-profile -c configs/instacart.yaml

The parts take turns, each running forward and backward alone on the same batches. The floor of a part is the
time of its multiplications at the rate of a large matrix product, or that of its memory traffic at the rate
of a large copy, whichever is longer; both rates are measured in the same run.
"""

from __future__ import annotations

import statistics
import time
from argparse import Namespace
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

import torch

from benchmarks.frame.parse import Parser, read
from benchmarks.frame.prepare import Prepared, prepare
from benchmarks.frame.publish import Record, Records, publish, table
from m2trec_merlin.model.m2trec import M2TRec, build_model
from m2trec_merlin.model.session_batch import SessionBatch
from m2trec_merlin.training.optimizer import Optimizers, build_optimizer, clip_gradients

WARM_UP = 3
FLOAT = 4


def options(parser: Parser) -> None:
    parser.add_config("configs/complete_journey.yaml")
    parser.add_argument("--steps", type=int, default=20, help="batches for each part (default: 20)")


def run(options: Namespace) -> None:
    profile = Profile(prepare(read(options)))
    batches = islice(profile.data.loader().batches(0), WARM_UP + options.steps)
    done = False
    while not done:
        batch: list[SessionBatch] = []
        profile.add("collate", lambda batch=batch: batch.extend(islice(batches, 1)))  # type: ignore[misc]
        done = not batch
        if batch:
            profile.step(batch[0])
    records = profile.records(options.stamp.commit, *measure_machine())
    title, parts = "A training step, part by part", [parts_table(records)]
    print(publish(options.output, "step_profile", records, options.stamp, title=title, parts=parts))


@dataclass
class Part:
    """Measurements of a part of the step.

    Attributes:
        seconds: seconds of each measured step.
        floating: number of multiplications and additions of each step.
        traffic: number of bytes that must be read or written in each step.
    """

    seconds: list[float] = field(default_factory=list)
    floating: list[float] = field(default_factory=list)
    traffic: list[float] = field(default_factory=list)

    def floor(self, flops: float, bandwidth: float) -> float:
        """Return the least seconds that the machine needs for the median step."""
        return max(statistics.median(self.floating) / flops, statistics.median(self.traffic) / bandwidth)


class Profile:
    """Runs the parts of a step separately and collects their measurements."""

    def __init__(self, data: Prepared) -> None:
        self.data = data
        self.config = config = data.config
        torch.manual_seed(config.seed)
        self.model: M2TRec = build_model(config, data.catalogue, data.max_length).train()
        self.optimizer: Optimizers = build_optimizer(self.model, config.training)
        names = ("collate", "item encoder", "session encoder", "head", "optimiser", "whole step")
        self.parts = {name: Part() for name in names}
        self.targets: list[int] = []

    def add(self, name: str, run: Callable[[], object], floating: float = 0.0, traffic: float = 0.0) -> None:
        """Measure one part."""
        started = time.perf_counter()
        run()
        part = self.parts[name]
        part.seconds.append(time.perf_counter() - started)
        part.floating.append(floating)
        part.traffic.append(traffic)

    def step(self, batch: SessionBatch) -> None:
        """Measure all parts on a batch, then the whole step."""
        model, body, task = self.model, self.model.body, self.model.next_item_task
        lengths, packing = batch.lengths, batch.packing
        events, width, targets = len(batch.rows), body.session_encoder.width, int(batch.n_targets)
        self.targets.append(targets)

        with torch.no_grad():
            prefixes = body(batch, training=True)
            candidates = len(task._candidates(prefixes)[0])
        item_width = model.item_encoder.width

        def items() -> None:
            drawn = torch.cat([prefixes.rows, torch.randint(1, task.n_seen + 1, (task.negatives,))])
            model.encode_rows(drawn).described.sum().backward()

        encoded = body.inputs(batch.rows).described.detach().requires_grad_()

        def sessions() -> None:
            encoder = body.session_encoder
            vectors = encoder.pool_prefixes(encoder(encoded, packing), packing)
            vectors.sum().backward()

        def head() -> None:
            items = replace(prefixes.items, joint=prefixes.items.joint.detach().requires_grad_())
            vectors = prefixes.vectors.detach().requires_grad_()
            given = replace(prefixes, vectors=vectors, items=items)
            loss = sum(
                other(given, training=True)["loss"] for other in model.heads[0].prediction_task_dict.values()
            )
            loss.backward()

        def whole() -> None:
            loss = model(batch, training=True)["loss"]
            self.optimizer.zero_grad()
            loss.backward()
            clip_gradients(model.parameters(), self.config.training.clip_norm)
            self.optimizer.step()

        def update() -> None:
            clip_gradients(model.parameters(), self.config.training.clip_norm)
            self.optimizer.step()

        session = self.config.model.session
        a_layer = 4 * width**2 + 2 * width * session.feedforward
        products = item_width * width + session.layers * a_layer + 2 * width**2
        attention = session.layers * 2 * width * float(lengths.double().square().sum()) / 2
        outputs = sum(output.out_features for output in model.next_attributes.values())
        weights = sum(p.numel() for g in self.optimizer.parts[0].param_groups for p in g["params"])
        touched = candidates * width
        self.optimizer.zero_grad()
        self.add("item encoder", items, traffic=2 * 2 * candidates * item_width * FLOAT)
        self.add("session encoder", sessions, floating=6 * (events * products + attention))
        scoring = targets * (candidates + outputs) * width + candidates * item_width * width
        self.add("head", head, floating=6 * scoring)
        # AdamW reads and writes weights and two moments, and reads the gradient. A row of an item table is
        # read and written once, and its gradient is read.
        self.add("optimiser", update, traffic=(7 * weights + 3 * touched) * FLOAT)
        self.add("whole step", whole)

    def records(self, commit: str, flops: float, bandwidth: float) -> Records:
        """Return milliseconds, shares of the whole step, and floors."""
        whole = statistics.median(self.parts["whole step"].seconds[WARM_UP:])
        records = Records(self.config.name, commit)
        records.add("this machine", "matrix product", round(flops / 1e9), "GFLOP/s")
        records.add("this machine", "copy", round(bandwidth / 1e9, 1), "GB/s")
        records.add("step", "targets", round(statistics.median(self.targets)), "1")
        for name, part in self.parts.items():
            taken, floor = statistics.median(part.seconds[WARM_UP:]), part.floor(flops, bandwidth)
            records.add(name, "time", round(taken * 1e3, 2), "ms")
            records.add(name, "share of the step", round(taken / whole, 3), "1")
            if floor:
                records.add(name, "floor", round(floor * 1e3, 2), "ms")
        return records


def measure_machine() -> tuple[float, float]:
    """Return the floating-point operations per second of a large product, and bytes per second of a copy."""
    a, b, out = torch.randn(1024, 1024), torch.randn(1024, 1024), torch.empty(1024, 1024)
    source, target = torch.ones(1 << 25), torch.empty(1 << 25)
    product = _best(lambda: torch.mm(a, b, out=out))
    copy = _best(lambda: target.copy_(source))
    return 2 * 1024**3 / product, 2 * FLOAT * (1 << 25) / copy


def _best(run: Callable[[], object]) -> float:
    seconds = []
    for _ in range(15):
        started = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def parts_table(records: Sequence[Record]) -> str:
    """Return the Markdown table."""
    value = {(r.system, r.measure): r.value for r in records}
    rows = []
    for part in dict.fromkeys(r.system for r in records if r.measure == "time"):
        share, floor = value[part, "share of the step"] or 0.0, value.get((part, "floor"), "-")
        rows.append([part, f"{value[part, 'time']}", f"{share:.0%}", f"{floor}"])
    return table(["part", "ms", "share of the step", "floor, ms"], rows)
