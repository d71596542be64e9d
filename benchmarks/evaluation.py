"""Speed and memory of ranking the whole catalogue after every test prefix.

    python -m benchmarks evaluation -c configs/diginetica_prepared.yaml

Scores, ranks and measures all prefixes of the test split with the configuration's model, untrained, because
the speed does not depend on the weights. Also computes the memory that Transformers4Rec's trainer would need
in the end, for the scores of all items after all prefixes.
"""

from __future__ import annotations

import time
from argparse import Namespace

import torch

from benchmarks.frame.parse import Parser, read
from benchmarks.frame.prepare import Prepared, prepare
from benchmarks.frame.publish import Records, publish
from benchmarks.runners.meter import peak_memory, reset_peak_memory
from m2trec_merlin.cli.progress import TerminalProgress
from m2trec_merlin.model.m2trec import build_model
from m2trec_merlin.model.scoring import ModelScorer

MIB = 1 << 20


def options(parser: Parser) -> None:
    parser.add_config("configs/complete_journey.yaml")
    parser.add_argument("--prefixes", type=int, help="a seeded sample of so many; default: all")


def run(options: Namespace) -> None:
    data = prepare(read(options))
    records = measure(data, options.prefixes, options.stamp.commit)
    print(publish(options.output, "evaluation", records, options.stamp, title="Ranking the whole catalogue"))


def measure(data: Prepared, prefixes: int | None, commit: str) -> Records:
    """Return records of prefixes per second and memory."""
    torch.manual_seed(data.config.seed)
    scorer = ModelScorer(build_model(data.config, data.catalogue, data.max_length))
    sample = data.prefixes("test", prefixes)
    reset_peak_memory()
    before = peak_memory()
    started = time.perf_counter()
    with TerminalProgress() as progress:
        data.rank(scorer, sample, progress)
    seconds = time.perf_counter() - started
    records, name = Records(data.config.name, commit), "m2trec"
    all_scores = len(sample) * data.catalogue.n_rows * 4
    records.add(name, "prefixes", len(sample), "1")
    records.add(name, "candidates", data.catalogue.n_rows - 1, "1")
    records.add(name, "prefixes/s", round(len(sample) / seconds), "1/s")
    records.add(name, "time", round(seconds, 2), "s")
    records.add(name, "memory on top of model and data", round((peak_memory() - before) / MIB), "MiB")
    records.add("all scores at once", "memory, computed", round(all_scores / MIB), "MiB")
    return records
