"""Run one system in a process of its own, score what it ranks, and decide when it has stopped learning."""

from __future__ import annotations

import json
import os
import select
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np

from benchmarks.runners.environments import python_of
from benchmarks.runners.exchange import Job
from benchmarks.runners.meter import GO, STOP

ROOT = Path(__file__).parents[2]

#: Seconds without a word after which a runner counts as hung.
SILENCE = 1800.0

#: Epochs without a better HIT@20 after which a system stops.
PATIENCE = 3


@dataclass(frozen=True)
class Look:
    """The quality at one moment of training.

    Attributes:
        seconds: of training so far, without evaluation.
        sessions: trained so far.
        targets: trained so far; one predicted next item in the loss is one.
        epochs: finished.
        hit: HIT@20 on validation.
        mrr: MRR@20 on validation.
    """

    seconds: float
    sessions: float
    targets: float
    epochs: int
    hit: float
    mrr: float


@dataclass(frozen=True)
class Trained:
    """What is known of a system after its training.

    Attributes:
        system: its name.
        peak_bytes: highest resident memory of its process.
        commit: of the code.
        looks: in order of time.
        facts: what its runner said of it when it started, such as `parameters`.
    """

    system: str
    peak_bytes: int
    commit: str
    looks: list[Look] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)


class RunnerFailed(Exception):
    """A runner ended before it should have, or says nothing any more."""


def run_job(
    system: str,
    runner: str,
    environment: str | None,
    job: Job,
    score: Callable[[np.ndarray], tuple[float, float]],
    commit: str,
) -> Trained:
    """Let a runner do a job, and print how it goes.

    Args:
        system: its name.
        runner: module of this package.
        environment: that it runs in; None: this one.
        job: what to do, in its own folder.
        score: HIT@20 and MRR@20 of top lists.
        commit: of the code.

    Raises:
        RunnerFailed: it did not come to its end.
    """

    def report(look: Look) -> None:
        print(
            f"{system}: {look.seconds:7.1f} s, {look.epochs} epochs, {look.targets:12,.0f} targets, "
            f"HIT@20 {look.hit:.4f}, MRR@20 {look.mrr:.4f}",
            flush=True,
        )

    folder = Path(job.folder)
    job.save(folder / "job.json")
    module = f"benchmarks.runners.{runner}"
    command = [str(python_of(environment)), "-m", module, str(folder / "job.json")]
    return train(system, command, folder, score, commit=commit, threads=job.threads, report=report)


def train(
    system: str,
    command: Sequence[str],
    folder: Path,
    score: Callable[[np.ndarray], tuple[float, float]],
    *,
    commit: str,
    threads: int,
    report: Callable[[Look], None],
) -> Trained:
    """Start a runner and answer it until it ends.

    Args:
        system: its name.
        command: starts the runner; the number of the pipe it writes to is added.
        folder: where the runner writes its lists; its log goes there, too.
        score: HIT@20 and MRR@20 of top lists.
        commit: of the code.
        threads: CPU threads of the runner.
        report: is told of every look.

    Raises:
        RunnerFailed: it did not come to its end.
    """
    looks: list[Look] = []
    facts: dict[str, Any] = {}
    peak, ended = 0, False
    log = folder / "log.txt"
    reading, writing = os.pipe()
    # Unbuffered, so that what select() waits for is not already read.
    with log.open("w") as output, os.fdopen(reading, "rb", buffering=0) as lines:
        runner = subprocess.Popen(
            [*command, str(writing)],
            # Whatever a library writes beside itself, it writes here.
            cwd=folder,
            env=_environment(threads),
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            pass_fds=[writing],
            bufsize=0,
        )
        os.close(writing)
        assert runner.stdin is not None
        try:
            while line := _read_line(lines):
                said = json.loads(line)
                peak = max(peak, said.get("peak_bytes", 0))
                ended |= said["event"] == "end"
                facts |= said.get("facts", {})
                if said["event"] == "look":
                    path = folder / said["lists"]
                    hit, mrr = score(np.load(path))
                    path.unlink()
                    looks.append(
                        Look(said["seconds"], said["sessions"], said["targets"], said["epochs"], hit, mrr)
                    )
                    report(looks[-1])
                    stop = said["epoch_ended"] and has_stalled(looks)
                    runner.stdin.write(f"{STOP if stop else GO}\n".encode())
            runner.wait(60)
        except BrokenPipeError:
            pass
        finally:
            runner.kill()
            runner.wait()
    if not ended or not looks:
        raise RunnerFailed(f"{system} ended early (exit code {runner.returncode}); its log: {log}")
    return Trained(system, peak, commit, looks, facts)


def has_stalled(looks: Sequence[Look]) -> bool:
    """Tell whether the best HIT@20 is PATIENCE epochs old."""
    best = max(looks, key=lambda look: look.hit)
    return looks[-1].epochs - best.epochs >= PATIENCE


def _read_line(lines: IO[bytes]) -> bytes:
    if not select.select([lines], [], [], SILENCE)[0]:
        raise RunnerFailed(f"the runner said nothing for {SILENCE:.0f} seconds")
    return lines.readline()


def _environment(threads: int) -> dict[str, str]:
    count = str(threads)
    return os.environ | {
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": count,
        "MKL_NUM_THREADS": count,
        "OPENBLAS_NUM_THREADS": count,
        "CUDA_VISIBLE_DEVICES": "",
    }
