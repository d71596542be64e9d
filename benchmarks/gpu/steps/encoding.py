"""Encode item vectors: items per second, for the catalogue of each run and for a million rows."""

from __future__ import annotations

import torch

from benchmarks.frame.prepare import Prepared
from benchmarks.gpu.runs import runs_of
from benchmarks.gpu.step import Step
from m2trec_merlin.model.m2trec import build_model

BLOCK = 65_536


def main(step: Step) -> None:
    """Encode the catalogue of each run."""
    with runs_of(step) as runs:
        for data in runs:
            step.attempt("encoding", lambda: measure(step, data))  # noqa: B023


def measure(step: Step, data: Prepared) -> None:
    """Encode all rows of the catalogue, then a million rows, which repeat these."""
    torch.manual_seed(data.config.seed)
    model = build_model(data.config, data.catalogue, data.max_length).to(step.device).eval()
    for n_items in (data.catalogue.n_rows, 5_000 if step.rehearsal else 1_000_000):
        rows = torch.arange(n_items, device=step.device) % data.catalogue.n_rows

        @torch.inference_mode()
        def encode(rows: torch.Tensor = rows) -> None:
            for block in rows.split(BLOCK):
                model.encode_rows(block)

        seconds = step.seconds(encode, repeats=3)
        step.add("items", round(n_items / seconds), "1/s", run=data.config.name, n=n_items)


if __name__ == "__main__":
    main(Step.of())
