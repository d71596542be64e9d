"""Train every system on the same sessions, one after another, and report time to quality.

    python -m benchmarks training -c configs/diginetica_ids.yaml --budget-seconds 900
    python -m benchmarks training --smoke

Each system runs in a separate process with all cores. Its clock counts only training; validation HIT@20 is
measured every --eval-seconds of this time and at the end of each epoch. A system stops when the clock passes
the budget, or when HIT@20 has not improved for three epochs. Results of finished systems are kept under
runs/NAME/benchmark/training, and a benchmark that was killed continues after them.
"""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

import torch

from benchmarks.frame.keep import Store
from benchmarks.frame.parse import ROOT, Parser, read
from benchmarks.frame.prepare import Prepared, prepare
from benchmarks.frame.publish import publish, usable_cores
from benchmarks.runners.data import export, scorer
from benchmarks.runners.environments import python_of
from benchmarks.runners.exchange import Job
from benchmarks.runners.process import RunnerFailed, Trained, run_job
from benchmarks.training.summary import plot, summarise, table
from benchmarks.training.systems import System, choose

LEGEND = "In brackets the ratio to ours: above 1 ours is faster or smaller; of HIT and MRR, theirs / ours."


def options(parser: Parser) -> None:
    parser.add_config("configs/diginetica_ids.yaml")
    parser.add_argument("--budget-seconds", type=float, default=900.0, help="of training, for each system")
    parser.add_argument("--eval-seconds", type=float, default=30.0, help="of training between two looks")
    parser.add_argument("--valid-prefixes", type=int, default=10_000, help="seeded sample that is scored")
    parser.add_argument("--max-sessions", type=int, help="train on the last so many sessions only")
    parser.add_argument("--threads", type=int, default=usable_cores(), help="CPU threads; default: all cores")
    parser.add_argument("--systems", nargs="+", help="parts of the names of those to run; default: all")
    parser.add_force()
    parser.add_preset(
        "--smoke",
        "a try-out: real data that PyPI serves, 20 seconds a system",
        config=Path("configs/complete_journey.yaml"),
        budget_seconds=20.0,
        eval_seconds=10.0,
        valid_prefixes=2_000,
        output=Path("runs/benchmark_smoke"),
    )


def run(options: Namespace) -> int:
    config, systems = read(options), choose(options.systems)
    torch.set_num_threads(options.threads)
    data = prepare(config)
    folder = config.directory.resolve() / "benchmark" / "training"
    for name in dict.fromkeys(s.environment for s in systems if s.environment):
        print(f"environment of {name}", flush=True)
        python_of(name)
    prefixes = data.prefixes("valid", options.valid_prefixes)
    length = data.max_length
    export(folder / "exchange", data.train, prefixes, length, options.max_sessions)
    title = config.name + (f", {options.max_sessions:,} sessions" if options.max_sessions else "")
    score, store = scorer(prefixes, data.catalogue), Store(folder, Trained)
    curves, failed, page = [], [], ""
    for system in systems:
        job = make_job(system, data, folder, options)
        depends = depends_on(system, data, job, options)
        trained = None if options.force else store.read(system.slug, depends)
        if trained is not None:
            print(f"{system.name}: kept from before", flush=True)
        else:
            print(f"{system.name}: starting", flush=True)
            shutil.rmtree(job.folder, ignore_errors=True)
            about = system.name, system.runner, system.environment
            try:
                trained = run_job(*about, job, score, options.stamp.commit)
            except RunnerFailed as error:
                print(f"FAILED: {error}", file=sys.stderr, flush=True)
                failed.append(system.name)
                continue
            store.write(system.slug, depends, trained)
        curves.append(trained)
        # Published after each system, so that a benchmark that is killed leaves its results so far.
        records = summarise(curves, title)
        parts = [table(records), LEGEND, "\n".join(f"- {s.name}: {s.note}" for s in systems)]
        drawn = {"": plot(curves, title)}
        page = publish(
            options.output, "training", records, options.stamp, title=title, parts=parts, plots=drawn
        )
    print(page)
    return 1 if failed else 0


def make_job(system: System, data: Prepared, folder: Path, options: Namespace) -> Job:
    """Return the job for a runner."""
    config = data.config
    return Job(
        data=str(folder / "exchange" / "data.npz"),
        train_folder=str(folder / "exchange" / "train"),
        folder=str(folder / system.slug),
        max_length=data.max_length,
        n_rows=data.catalogue.n_rows,
        budget_seconds=options.budget_seconds,
        eval_seconds=options.eval_seconds,
        threads=options.threads,
        seed=config.seed,
        settings=system.settings(config),
    )


def depends_on(system: System, data: Prepared, job: Job, options: Namespace) -> dict[str, Any]:
    """Return all inputs of a system's result."""
    runners = ROOT / "benchmarks" / "runners"
    runner = [runners / f"{name}.py" for name in (system.runner, "meter", "exchange")]
    return {
        "job": dataclasses.asdict(job),
        "data": data.manifest["inputs"],
        "valid_prefixes": options.valid_prefixes,
        "max_sessions": options.max_sessions,
        "code": source_hash(*runner, *(ROOT / path for path in system.sources)),
    }


def source_hash(*paths: Path) -> str:
    """Return a hash of files, and of all Python files below folders."""
    digest = hashlib.sha256()
    for path in paths:
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]
