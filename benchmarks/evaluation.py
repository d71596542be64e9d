"""Speed and memory of ranking the whole catalogue after every test prefix.

    m2trec data -c configs/diginetica_prepared.yaml && m2trec preprocess -c configs/diginetica_prepared.yaml
    python -m benchmarks.evaluation -c configs/diginetica_prepared.yaml

Scores, ranks and measures all prefixes of the test split with a model of the configuration. It is not
trained: the speed does not depend on its weights. Beside it, what Transformers4Rec's trainer would hold at
its end: the scores of all items for all prefixes. Prints a table, writes benchmarks/results/evaluation.json.
"""

from __future__ import annotations

import argparse
import resource
import time
from pathlib import Path

import torch

from benchmarks.records import Record, commit, markdown, write_records
from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.cli.progress import TerminalProgress
from m2trec_merlin.config import Config, load_config
from m2trec_merlin.evaluation.ranking import evaluate, sample_prefixes
from m2trec_merlin.model.m2trec import build_model
from m2trec_merlin.model.scoring import ModelScorer
from m2trec_merlin.sessions import Sessions

RESULTS = Path(__file__).parent / "results" / "evaluation.json"
MIB = 1 << 20


def measure(config: Config, prefixes: int | None) -> list[Record]:
    """Return prefixes a second and memory."""
    preprocessed = config.directory / "preprocessed"
    catalogue = Catalogue.load(preprocessed / "catalogue")
    torch.manual_seed(config.seed)
    recommender = ModelScorer(build_model(config, catalogue))
    test = Sessions.load(preprocessed / "sessions" / "test").prefixes()
    sample = sample_prefixes(test, prefixes, config.seed)
    before = _peak_mib()
    started = time.perf_counter()
    with TerminalProgress() as progress:
        evaluate(recommender, sample, catalogue, config.evaluation, progress=progress)
    seconds = time.perf_counter() - started
    data, now, name = config.name, commit(), "m2trec"
    all_scores = len(sample) * catalogue.n_rows * 4 / MIB
    return [
        Record(name, data, "prefixes", len(sample), "1", None, now),
        Record(name, data, "candidates", catalogue.n_rows - 1, "1", None, now),
        Record(name, data, "prefixes/s", round(len(sample) / seconds), "1/s", None, now),
        Record(name, data, "time", round(seconds, 2), "s", None, now),
        Record(name, data, "memory on top of model and data", round(_peak_mib() - before), "MiB", None, now),
        Record("all scores at once", data, "memory, computed", round(all_scores), "MiB", None, now),
    ]


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-c", "--config", type=Path, default=Path("configs/complete_journey.yaml"))
    parser.add_argument("--work-dir", type=Path, help="where `m2trec preprocess` wrote, if not the default")
    parser.add_argument("--prefixes", type=int, help="a seeded sample of so many; default: all")
    parser.add_argument("--output", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    overrides = {"work_dir": str(arguments.work_dir)} if arguments.work_dir else {}
    records = measure(load_config(arguments.config, overrides), arguments.prefixes)
    print(markdown(records))
    write_records(arguments.output, records)


if __name__ == "__main__":
    main()
