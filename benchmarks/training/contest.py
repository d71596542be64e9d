"""Train every system on the same sessions, one after another, and report time to quality.

    python -m benchmarks.training -c configs/diginetica_ids.yaml --budget-seconds 900
    python -m benchmarks.training --smoke

Each system runs in a process of its own with all cores. Its clock counts training alone; validation HIT@20 is
looked at every --eval-seconds of it and at the end of each epoch. A system stops when the clock passes the
budget, or when three epochs brought no better HIT@20. Finished systems are kept under
runs/NAME/benchmark/training, and a benchmark that was killed goes on after them.
"""

from __future__ import annotations

import argparse
import dataclasses
import shutil
import sys
from pathlib import Path
from typing import Any

import torch

from benchmarks.records import commit, usable_cores, write_records
from benchmarks.training.data import export, scorer, source_hash
from benchmarks.training.environments import python_of
from benchmarks.training.exchange import Job
from benchmarks.training.kept import read_trained, write_trained
from benchmarks.training.plot import plot
from benchmarks.training.process import ROOT, Look, RunnerFailed, Trained, train
from benchmarks.training.summary import summarise, table
from benchmarks.training.systems import System, choose
from m2trec_merlin.artifacts import fingerprint, require_manifest
from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.config import Config, load_config
from m2trec_merlin.data.preparation import prepare_data
from m2trec_merlin.preprocessing.run import preprocess

RESULTS = Path(__file__).parents[1] / "results"

#: What --smoke stands for: real data that PyPI serves, a few minutes in all.
SMOKE = {"config": Path("configs/complete_journey.yaml"), "budget_seconds": 20.0, "eval_seconds": 10.0}
SMOKE |= {"valid_prefixes": 2_000}


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.training",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("-c", "--config", type=Path, default=Path("configs/diginetica_ids.yaml"))
    parser.add_argument("--budget-seconds", type=float, default=900.0, help="of training, for each system")
    parser.add_argument("--eval-seconds", type=float, default=30.0, help="of training between two looks")
    parser.add_argument("--valid-prefixes", type=int, default=10_000, help="seeded sample that is scored")
    parser.add_argument("--max-sessions", type=int, help="train on the last so many sessions only")
    parser.add_argument("--threads", type=int, default=usable_cores())
    parser.add_argument("--systems", nargs="+", help="parts of the names of those to run; default: all")
    parser.add_argument("--work-dir", type=Path, help="folder of the run, if not the configured one")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder of training.json, training.svg")
    parser.add_argument("--force", action="store_true", help="train again what was already finished")
    parser.add_argument("--smoke", action="store_true", help="a try-out: small data, 20 seconds a system")
    arguments = parser.parse_args()
    if arguments.smoke:
        for name, value in SMOKE.items():
            if getattr(arguments, name) == parser.get_default(name):
                setattr(arguments, name, value)
        if arguments.output == RESULTS:
            arguments.output = Path("runs") / "benchmark_smoke"
    return arguments


def main() -> int:
    arguments = parse()
    config = load_config(arguments.config, _overrides(arguments))
    systems = choose(arguments.systems)
    torch.set_num_threads(arguments.threads)
    prepare_data(config)
    preprocess(config)
    folder = config.directory.resolve() / "benchmark" / "training"
    for name in dict.fromkeys(s.environment for s in systems if s.environment):
        print(f"environment of {name}", flush=True)
        python_of(name)
    prefixes = export(config, folder / "exchange", arguments.valid_prefixes, arguments.max_sessions)
    catalogue = Catalogue.load(config.directory / "preprocessed" / "catalogue")
    data = config.name + (f", {arguments.max_sessions:,} sessions" if arguments.max_sessions else "")
    score = scorer(prefixes, catalogue)
    curves, failed = [], []
    for system in systems:
        job = make_job(system, config, catalogue.n_rows, folder, arguments)
        key = record_key(system, config, job, arguments)
        record = folder / system.slug / "record.json"
        trained = None if arguments.force else read_trained(record, key)
        if trained is not None:
            print(f"{system.name}: kept from before", flush=True)
        else:
            try:
                trained = run_system(system, job, score, arguments.threads)
            except RunnerFailed as error:
                print(f"FAILED: {error}", file=sys.stderr, flush=True)
                failed.append(system.name)
                continue
            write_trained(record, trained, key)
        curves.append(trained)
        publish(curves, data, arguments.output)
    if curves:
        print("\n" + table(summarise(curves, data)) + "\n")
        print(
            "In brackets the ratio to ours: above 1 ours is faster or smaller; of HIT and MRR, theirs / ours."
        )
        for system in systems:
            print(f"- {system.name}: {system.note}")
    return 1 if failed else 0


def run_system(system: System, job: Job, score: Any, threads: int) -> Trained:
    """Train one system in its own process."""
    print(f"{system.name}: starting", flush=True)
    folder = Path(job.folder)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    job.save(folder / "job.json")
    command = [
        str(python_of(system.environment)),
        "-m",
        f"benchmarks.training.{system.runner}",
        str(folder / "job.json"),
    ]

    def report(look: Look) -> None:
        print(
            f"{system.name}: {look.seconds:7.1f} s, {look.epochs} epochs, {look.targets:12,.0f} targets, "
            f"HIT@20 {look.hit:.4f}, MRR@20 {look.mrr:.4f}",
            flush=True,
        )

    return train(system.name, command, folder, score, commit=commit(), threads=threads, report=report)


def make_job(system: System, config: Config, n_rows: int, folder: Path, arguments: argparse.Namespace) -> Job:
    """Say what a runner has to do."""
    settings = system.settings(config)
    if "overrides" in settings:
        overrides = {**settings["overrides"], "work_dir": str(config.directory.resolve())}
        settings = {"config": str(arguments.config.resolve()), "overrides": overrides}
    return Job(
        data=str(folder / "exchange" / "data.npz"),
        train_folder=str(folder / "exchange" / "train"),
        folder=str(folder / system.slug / "work"),
        max_length=config.data.max_session_length,
        n_rows=n_rows,
        budget_seconds=arguments.budget_seconds,
        eval_seconds=arguments.eval_seconds,
        threads=arguments.threads,
        seed=config.seed,
        settings=settings,
    )


def record_key(system: System, config: Config, job: Job, arguments: argparse.Namespace) -> str:
    """Return a fingerprint of everything that a record depends on."""
    here = Path(__file__).parent
    runner = [here / f"{system.runner}.py", here / "meter.py", here / "exchange.py"]
    return fingerprint(
        {
            "job": dataclasses.asdict(job),
            "data": require_manifest(config.directory / "preprocessed", "preprocess")["inputs"],
            "valid_prefixes": arguments.valid_prefixes,
            "max_sessions": arguments.max_sessions,
            "code": source_hash(*runner, *(ROOT / path for path in system.sources)),
            # Of the others, all that counts of the configuration is in the job.
            "config": config.model_dump(mode="json", exclude={"work_dir", "evaluation", "serving"})
            if "config" in job.settings
            else None,
        }
    )


def publish(curves: list[Trained], data: str, output: Path) -> None:
    """Write what is known so far, so that a benchmark that is killed leaves the systems before."""
    write_records(output / "training.json", summarise(curves, data))
    plot(curves, data, output / "training.svg")


def _overrides(arguments: argparse.Namespace) -> dict[str, Any]:
    return {"work_dir": str(arguments.work_dir)} if arguments.work_dir else {}


if __name__ == "__main__":
    sys.exit(main())
