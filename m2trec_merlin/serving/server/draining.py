"""BoundedQueue until a server has answered the requests that it has, before it is asked to stop.

When Triton is asked to stop, it closes the queues of all models at once: queued requests are answered, but a
request that is in the first step of the ensemble at that time is refused by the queue of the second. So all
requests have to be through the first step before. Triton does not count requests that are not answered yet;
its workers do.

Requests keep coming meanwhile, so there may never be none. But each queue is first in, first out, and so is
each worker: once their counts have reached a number, all requests before it are through.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from m2trec_merlin.contract.names import PREDICT, PREPROCESS
from m2trec_merlin.contract.under_way import Counts, read_counts
from m2trec_merlin.serving.server.local_http import answer_of

_POLL_SECONDS = 0.02
#: Time until a request that was sent is in a queue, and until one that left a queue is counted by a worker.
_SETTLED_SECONDS = 0.1
#: Time from one step to the queue of the next; a request that takes longer was cancelled by its client.
_BETWEEN_SECONDS = 1.0


@dataclass(frozen=True)
class UnderWay:
    """The requests that a server has not answered yet.

    Attributes:
        folder: folder where the workers count their requests.
        metrics_address: address of Triton's metrics.
    """

    folder: Path
    metrics_address: str

    def workers(self, step: str) -> dict[str, Counts]:
        """Return the counts of each worker of a step."""
        return read_counts(self.folder, step)

    def total(self, step: str) -> Counts:
        """Return the sum of the counts of a step's workers."""
        return sum(self.workers(step).values(), Counts())

    def queued(self, step: str) -> int:
        """Return the number of requests that wait for a worker of a step; 0 if Triton does not tell."""
        text = (answer_of(self.metrics_address) or b"").decode(errors="replace")
        line = rf'^nv_inference_pending_request_count{{.*model="{step}".*}} (\d+)'
        return sum(map(int, re.findall(line, text, re.MULTILINE)))

    def count(self) -> int:
        """Return the number of requests that are in a step, or wait for one."""
        steps = [(self.total(step), self.queued(step)) for step in (PREPROCESS, PREDICT)]
        return sum(counts.taken - counts.left + queued for counts, queued in steps)


def drain(under_way: UnderWay, seconds: float, given_up: Callable[[], bool]) -> int:
    """Wait until the requests that have come so far are answered.

    A request that its client cancels between the steps never arrives at the second one, so the counts of the
    steps may differ for ever. So this waits until the second step has taken as many requests as the first
    handed on, or for one second, and then for the requests in its queue. Requests sent directly to the second
    step, as none of our clients does, can hide as many that are on their way there, for a moment.

    Args:
        under_way: the requests of the server.
        seconds: longest time to wait.
        given_up: function that tells whether to stop waiting.

    Returns:
        The number of requests that are still under way when the time is over or waiting is given up, or 0.
    """
    try:
        _Drain(under_way, time.monotonic() + seconds, given_up).wait()
    except _GivenUpError:
        return under_way.count()
    return 0


class _GivenUpError(Exception):
    """The time is over, or waiting was given up."""


class _Drain:
    def __init__(self, under_way: UnderWay, deadline: float, given_up: Callable[[], bool]) -> None:
        self._under_way, self._deadline, self._given_up = under_way, deadline, given_up

    def wait(self) -> None:
        """Wait for the requests, from the first queue to the last answer."""
        self._leave_queue(PREPROCESS)
        self._until(self._finished(PREPROCESS))
        handed_on, end = self._under_way.total(PREPROCESS).answered, time.monotonic() + _BETWEEN_SECONDS

        def all_came() -> bool:
            return self._under_way.total(PREDICT).taken >= handed_on

        self._until(lambda: all_came() or time.monotonic() >= end)
        if not all_came():
            self._leave_queue(PREDICT)
        self._until(self._finished(PREDICT))

    def _leave_queue(self, step: str) -> None:
        """Wait until the workers of a step have taken the requests that are in its queue now."""
        self._settle()
        queued = self._under_way.queued(step)
        self._settle()
        if queued:
            # An empty queue is enough, too: cancelled requests leave it uncounted, and a request that left it
            # between the two readings is counted twice here.
            last = self._under_way.total(step).taken + queued
            self._until(lambda: self._under_way.total(step).taken >= last or not self._under_way.queued(step))
            self._settle()

    def _until(self, reached: Callable[[], bool]) -> None:
        while not reached():
            if self._given_up() or time.monotonic() > self._deadline:
                raise _GivenUpError
            time.sleep(_POLL_SECONDS)

    def _settle(self) -> None:
        end = time.monotonic() + _SETTLED_SECONDS
        self._until(lambda: time.monotonic() >= end)

    def _finished(self, step: str) -> Callable[[], bool]:
        """Return a function that tells whether a step's workers have answered what they have taken by now.

        Workers are compared one by one, as one may have answered many later requests while another still has
        its first.
        """
        noted = self._under_way.workers(step)

        def finished() -> bool:
            now = self._under_way.workers(step)
            return all(now[name].left >= counts.taken for name, counts in noted.items())

        return finished
