"""The clock inside a runner, which counts only training time, and has the quality measured at regular times.

A runner and the benchmark exchange lines of JSON: for every look at the quality, the runner writes one and
waits; the benchmark scores the lists and answers `go` or `stop` on standard input. The lines go through a
separate pipe, whose number is the second argument of a runner, because libraries also print to standard
output. This module needs only numpy, like `exchange.py`.
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
    """Raised to leave a library's training loop that offers no other way to stop."""


class Meter:
    """A counter of a runner's training, which tells when to stop.

    With one thread it counts processor time, which does not depend on other load on the machine; with several
    threads it counts wall-clock time.

    Args:
        job: job with the budget and the time between looks.
        rank: function that returns the current top lists of the validation prefixes, int64 [P, TOP].
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
        """The training time so far."""
        return self._seconds + (self._now() - self._since if self._since is not None else 0.0)

    def start(self, **facts: Any) -> None:
        """Start the clock.

        Args:
            facts: facts about the system for its record (versions, parameters).
        """
        self._say(event="start", facts=facts)
        self._since = self._now()

    def step(self, sessions: float, targets: float) -> bool:
        """Count a step, and look at the quality if it is time; return whether to stop."""
        self.sessions += sessions
        self.targets += targets
        seconds = self.seconds
        if seconds >= self.job.budget_seconds or seconds - self._looked_at >= self.job.eval_seconds:
            self._look(epoch_ended=False)
        return self.stopped

    def epoch(self) -> bool:
        """Count an epoch and look at the quality; return whether to stop."""
        if not self.stopped:
            self.epochs += 1
            self._look(epoch_ended=True)
        return self.stopped

    def finish(self) -> None:
        """Report that the runner has finished."""
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

    This is Linux's VmHWM, because `ru_maxrss` starts with the peak of the parent process.
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
    """Reset the peak, so that evaluation does not count; if the system cannot do this, it does count."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def run(main: Callable[[Job], None]) -> None:
    """Run `main` as a runner, on the job that the command line names."""
    main(Job.load(Path(sys.argv[1])))
