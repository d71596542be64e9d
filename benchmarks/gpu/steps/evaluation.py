"""Rank the whole catalogue after every test prefix on the device, and after a sample also on the CPU."""

from __future__ import annotations

import time

import numpy as np
import torch

from benchmarks.frame.prepare import Prepared
from benchmarks.gpu.runs import runs_of
from benchmarks.gpu.step import Step
from m2trec_merlin.model.m2trec import build_model
from m2trec_merlin.model.scoring import ModelScorer

COMPARED = 2_000


def main(step: Step) -> None:
    """Rank the prefixes of each run."""
    with runs_of(step) as runs:
        for data in runs:
            step.attempt("ranking", lambda: measure(step, data))  # noqa: B023


def measure(step: Step, data: Prepared) -> None:
    """Rank with an untrained model, because the speed does not depend on the weights."""
    scorers = {}
    for device in ("cpu", step.device):
        torch.manual_seed(data.config.seed)
        model = build_model(data.config, data.catalogue, data.max_length)
        scorers[device] = ModelScorer(model.to(device))
    of = {"run": data.config.name, "candidates": data.catalogue.n_rows - 1}
    prefixes = data.prefixes("test")
    for turn in ("first", "second"):
        started = time.perf_counter()
        data.rank(scorers[step.device], prefixes)
        step.add(
            "all prefixes", round(time.perf_counter() - started, 3), "s", n=len(prefixes), turn=turn, **of
        )
    sample = data.prefixes("test", COMPARED)
    started = time.perf_counter()
    on_cpu = data.rank(scorers["cpu"], sample)
    step.add("on the CPU", round(time.perf_counter() - started, 3), "s", n=len(sample), **of)
    on_device = data.rank(scorers[step.device], sample)
    assert on_cpu.items is not None and on_device.items is not None
    same = np.mean(on_cpu.items.target == on_device.items.target)
    step.add("equal ranks", round(float(same), 5), "share", n=len(sample), **of)


if __name__ == "__main__":
    main(Step.of())
