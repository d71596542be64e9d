"""Wait until a server has answered what came to it so far, before it is asked to stop.

Triton that is asked to stop closes the queues of all models at once: what is queued is answered, but a
request that is in the first step of the ensemble then is refused by the queue of the second. So requests have
to be through the first step before. Triton does not count those that came and were not answered yet; its
workers do.

Requests go on coming meanwhile, so it is not waited until there are none: each queue is first in, first out,
and so is each worker, hence counts that are reached tell that all requests before them are through.
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
#: Until what a client has sent is in a queue, and what has left a queue is counted by a worker.
_SETTLED_SECONDS = 0.1
#: From one step to the queue of the next; what did not come there by then was given up by its client.
_BETWEEN_SECONDS = 1.0


@dataclass(frozen=True)
class UnderWay:
    """The requests that a server has.

    Attributes:
        folder: where its workers count them.
        metrics_address: of Triton.
    """

    folder: Path
    metrics_address: str

    def workers(self, step: str) -> dict[str, Counts]:
        """Return what each worker of a step has counted."""
        return read_counts(self.folder, step)

    def total(self, step: str) -> Counts:
        """Return what all workers of a step have counted."""
        return sum(self.workers(step).values(), Counts())

    def queued(self, step: str) -> int:
        """Return how many requests wait for a worker of a step; 0 if Triton does not say."""
        text = (answer_of(self.metrics_address) or b"").decode(errors="replace")
        line = rf'^nv_inference_pending_request_count{{.*model="{step}".*}} (\d+)'
        return sum(map(int, re.findall(line, text, re.MULTILINE)))

    def count(self) -> int:
        """Return how many requests are in a step, or wait for one."""
        steps = [(self.total(step), self.queued(step)) for step in (PREPROCESS, PREDICT)]
        return sum(counts.taken - counts.left + queued for counts, queued in steps)


def drain(under_way: UnderWay, seconds: float, given_up: Callable[[], bool]) -> int:
    """Wait until the requests that have come so far are answered.

    A request that its client gives up between the steps never comes to the second one, and leaves a
    difference for good. So it is waited until that has taken as many as the first handed on, or for a second,
    and then for what is in its queue. Requests sent to the second step itself, which no client of ours does,
    can hide as many that are on their way there, which takes a moment.

    Args:
        under_way: the requests of the server.
        seconds: it is waited no longer than this.
        given_up: tells whether there is something that speaks against waiting on.

    Returns:
        How many requests are under way though it was waited so long, or given up; else 0.
    """
    try:
        _Drain(under_way, time.monotonic() + seconds, given_up).wait()
    except _GivenUpError:
        return under_way.count()
    return 0


class _GivenUpError(Exception):
    """Something speaks against waiting on."""


class _Drain:
    def __init__(self, under_way: UnderWay, deadline: float, given_up: Callable[[], bool]) -> None:
        self._under_way, self._deadline, self._given_up = under_way, deadline, given_up

    def wait(self) -> None:
        """Follow the requests from the first queue to the last answer."""
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
        """Wait until the workers of a step have taken what is in its queue by now."""
        self._settle()
        queued = self._under_way.queued(step)
        self._settle()
        if queued:
            # The end of the queue tells it, too: what clients give up leaves it, and what left it between the
            # two looks is counted twice here.
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
        """Return what tells whether the workers of a step have answered what they have taken by now.

        Each by itself: one may be done with many that came later, while another still has its first.
        """
        noted = self._under_way.workers(step)

        def finished() -> bool:
            now = self._under_way.workers(step)
            return all(now[name].left >= counts.taken for name, counts in noted.items())

        return finished
