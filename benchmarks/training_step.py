"""Training throughput of our modes and precisions, side by side on the same batches of preprocessed sessions.

    m2trec data -c configs/instacart.yaml && m2trec preprocess -c configs/instacart.yaml
    python -m benchmarks.training_step -c configs/instacart.yaml

Prints a Markdown table and writes benchmarks/results/training_step.json. Each system sees the same sessions
in the same order; they take turns batch by batch, so that whatever else the machine does hits all alike.
"""

from __future__ import annotations

import argparse
import statistics
import time
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from benchmarks.records import Record, commit, write_records
from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.config import Config, load_config
from m2trec_merlin.model.m2trec import M2TRec, build_model
from m2trec_merlin.model.session_batch import SessionBatch
from m2trec_merlin.training.hardware import choose_precision
from m2trec_merlin.training.loader import SessionLoader
from m2trec_merlin.training.optimizer import build_optimizer

RESULTS = Path(__file__).parent / "results" / "training_step.json"
WARM_UP = 2

#: The first one is what the others are compared with.
SYSTEMS: dict[str, dict[str, Any]] = {
    "causal": {"mode": "causal"},
    "causal, float32": {"mode": "causal", "precision": "float32"},
    "bidirectional": {"mode": "bidirectional"},
    "causal, full softmax": {"mode": "causal", "loss": "full"},
}


class System:
    """A model with its optimiser, and the seconds that its steps took."""

    def __init__(self, config: Config, catalogue: Catalogue, settings: dict[str, Any]) -> None:
        model = config.model
        session = model.session.model_copy(update={"mode": settings["mode"]})
        next_item = model.next_item.model_copy(update={"loss": settings.get("loss", "sampled")})
        changed = model.model_copy(update={"session": session, "next_item": next_item})
        torch.manual_seed(config.seed)
        self.model: M2TRec = build_model(config.model_copy(update={"model": changed}), catalogue)
        self.optimizer = build_optimizer(self.model, config.training)
        self.precision = choose_precision(settings.get("precision", "auto"), torch.device("cpu"))
        self.seconds: list[float] = []

    def step(self, batch: SessionBatch) -> None:
        started = time.perf_counter()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.precision == torch.bfloat16):
            loss = self.model(batch, training=True)["loss"]
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.seconds.append(time.perf_counter() - started)


def measure(config: Config, steps: int) -> list[Record]:
    """Return one record a system."""
    preprocessed = config.directory / "preprocessed"
    catalogue = Catalogue.load(preprocessed / "catalogue")
    systems = {name: System(config, catalogue, settings) for name, settings in SYSTEMS.items()}
    loader = SessionLoader(preprocessed / "sessions" / "train", config.training.batch_size, config.seed)
    targets = []
    for batch in islice(loader.batches(0), WARM_UP + steps):
        targets.append(batch.n_targets)
        for system in systems.values():
            system.step(batch)
    seconds = {name: statistics.median(s.seconds[WARM_UP:]) for name, s in systems.items()}
    typical = statistics.median(targets[WARM_UP:])
    ours = next(iter(seconds.values()))
    return [
        Record(
            name,
            config.name,
            "targets/s",
            round(typical / value),
            "1/s",
            round(value / ours, 2),
            commit(),
        )
        for name, value in seconds.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-c", "--config", type=Path, default=Path("configs/instacart.yaml"))
    parser.add_argument("--work-dir", type=Path, help="where `m2trec preprocess` wrote, if not the default")
    parser.add_argument("--steps", type=int, default=20)
    arguments = parser.parse_args()
    overrides = {"work_dir": str(arguments.work_dir)} if arguments.work_dir else {}
    records = measure(load_config(arguments.config, overrides), arguments.steps)
    print("| system | targets/s | seconds a step, ratio to ours |\n|---|---|---|")
    for record in records:
        print(f"| {record.system} | {record.value:,} | {record.ratio_to_ours:.2f} |")
    write_records(RESULTS, records)


if __name__ == "__main__":
    main()
