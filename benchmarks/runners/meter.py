"""The clock inside a runner: it counts training time alone, and shows the quality at regular points.

A runner and the benchmark talk in lines of JSON: the runner writes one for every look at the quality and
waits; the benchmark scores the lists and answers `go` or `stop` on standard input. The lines go through a
pipe of their own, whose number is the second argument of a runner, since libraries print what they like.
Needs numpy alone, like `exchange.py`.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.runners.exchange import Job

GO, STOP = "go", "stop"


class BudgetSpent(Exception):
    """Leaves a library's training loop that offers no other way out."""


class Meter:
    """Counts what a runner trains, and when it must stop.

    With one thread it counts the processor's seconds, which say what a core of its own would take, whoever
    else is at work on the machine; with several it counts the clock's.

    Args:
        job: budget and time between looks.
        rank: returns the current top lists of the validation prefixes, int64 [P, TOP].
    """

    def __init__(self, job: Job, rank: Callable[[], np.ndarray]) -> None:
        self.job = job
        self.rank = rank
        self.stopped = False
        self.sessions = 0.0
        self.targets = 0.0
        self.epochs = 0
        self._now = time.process_time if job.threads == 1 else time.perf_counter
        self._seconds = 0.0
        self._since: float | None = None
        self._looked_at = 0.0
        self._looks = 0
        self._peak = 0
        self._lines = os.fdopen(int(sys.argv[2]), "w")

    @property
    def seconds(self) -> float:
        """Training time so far."""
        return self._seconds + (self._now() - self._since if self._since is not None else 0.0)

    def start(self, **facts: Any) -> None:
        """Training starts now.

        Args:
            facts: about the system, for its record (versions, parameters).
        """
        self._say(event="start", facts=facts)
        self._since = self._now()

    def step(self, sessions: float, targets: float) -> bool:
        """Count a step; look at the quality if it is time to. Tells whether to stop."""
        self.sessions += sessions
        self.targets += targets
        seconds = self.seconds
        if seconds >= self.job.budget_seconds or seconds - self._looked_at >= self.job.eval_seconds:
            self._look(epoch_ended=False)
        return self.stopped

    def epoch(self) -> bool:
        """Count an epoch and look at the quality. Tells whether to stop."""
        if not self.stopped:
            self.epochs += 1
            self._look(epoch_ended=True)
        return self.stopped

    def finish(self) -> None:
        """Say that the runner ended as it should."""
        self._say(event="end", peak_bytes=max(self._peak, peak_memory()))

    def _look(self, epoch_ended: bool) -> None:
        self._seconds, self._since = self.seconds, None
        self._peak = max(self._peak, peak_memory())
        path = Path(self.job.folder) / f"lists-{self._looks:04d}.npy"
        np.save(path, self.rank())
        self._looks += 1
        self._say(
            event="look",
            seconds=self._seconds,
            sessions=self.sessions,
            targets=self.targets,
            epochs=self.epochs,
            epoch_ended=epoch_ended,
            peak_bytes=self._peak,
            lists=path.name,
        )
        answer = sys.stdin.readline().strip()
        self.stopped = answer != GO or self._seconds >= self.job.budget_seconds
        reset_peak_memory()
        self._looked_at = self._seconds
        self._since = self._now()

    def _say(self, **line: Any) -> None:
        self._lines.write(json.dumps(line) + "\n")
        self._lines.flush()


def peak_memory() -> int:
    """Return the highest resident memory of this process in bytes.

    Linux's VmHWM rather than `ru_maxrss`, which starts with the peak of the process that started this one.
    """
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def reset_peak_memory() -> None:
    """Forget the peak, so that evaluation does not count; where the system cannot, it does count."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def run(main: Callable[[Job], None]) -> None:
    """Be a runner: read the job that the command line names, and do it."""
    main(Job.load(Path(sys.argv[1])))
