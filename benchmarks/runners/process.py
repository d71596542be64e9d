"""Run one system in a separate process, score its rankings, and decide when it has stopped learning."""

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

#: Seconds without a message after which a runner counts as hung.
SILENCE = 1800.0

#: Epochs without a better HIT@20 after which a system stops.
PATIENCE = 3


@dataclass(frozen=True)
class Look:
    """The quality at one moment of training.

    Attributes:
        seconds: seconds of training so far, without evaluation.
        sessions: number of sessions trained so far.
        targets: number of next items predicted in the loss so far.
        epochs: number of finished epochs.
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
    """The results of a system after its training.

    Attributes:
        system: name of the system.
        peak_bytes: highest resident memory of its process.
        commit: commit of the code.
        looks: looks at the quality, in order of time.
        facts: facts that its runner reported at the start, such as `parameters`.
    """

    system: str
    peak_bytes: int
    commit: str
    looks: list[Look] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)


class RunnerFailed(Exception):
    """A runner ended too early, or no longer sends messages."""


def run_job(
    system: str,
    runner: str,
    environment: str | None,
    job: Job,
    score: Callable[[np.ndarray], tuple[float, float]],
    commit: str,
) -> Trained:
    """Let a runner do a job, and print its progress.

    Args:
        system: name of the system.
        runner: name of a module of this package.
        environment: name of its environment; None for the current one.
        job: the job, with its own folder.
        score: function that returns HIT@20 and MRR@20 of top lists.
        commit: commit of the code.

    Raises:
        RunnerFailed: the runner did not finish.
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
        system: name of the system.
        command: command that starts the runner; the number of its pipe is added.
        folder: folder for the lists and the log of the runner.
        score: function that returns HIT@20 and MRR@20 of top lists.
        commit: commit of the code.
        threads: number of CPU threads of the runner.
        report: function that receives every look.

    Raises:
        RunnerFailed: the runner did not finish.
    """
    looks: list[Look] = []
    facts: dict[str, Any] = {}
    peak, ended = 0, False
    log = folder / "log.txt"
    reading, writing = os.pipe()
    # Unbuffered, because select() does not see lines that were already read into a buffer.
    with log.open("w") as output, os.fdopen(reading, "rb", buffering=0) as lines:
        runner = subprocess.Popen(
            [*command, str(writing)],
            # Files that a library writes into the current folder end up here.
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
    """Tell whether the best HIT@20 is at least PATIENCE epochs old."""
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
