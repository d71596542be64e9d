"""Work beside the requests: what a thread does every now and then, and what waits for it until then."""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from m2trec_merlin.contract.names import TOLD_BY_WORKER

T = TypeVar("T")


class Background:
    """A thread that does something again and again until it is closed.

    An error is told, and ends nothing.

    Args:
        work: what is done.
        seconds: between two times.
        at_last: what is done once, after the last time.
    """

    def __init__(
        self, work: Callable[[], None], seconds: float, at_last: Callable[[], None] | None = None
    ) -> None:
        self._work, self._seconds, self._at_last = work, seconds, at_last
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Do it a last time, and wait until it is done."""
        self._closed.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closed.wait(self._seconds):
            _do(self._work)
        _do(self._work)
        if self._at_last is not None:
            _do(self._at_last)


def _do(work: Callable[[], None]) -> None:
    try:
        work()
    except Exception as error:
        tell(f"{type(error).__name__}: {error}")


def tell(text: str) -> None:
    """Tell whoever runs the server, in a line of Triton's log, which `m2trec serve` prints."""
    line = " ".join(text.split())
    print(f"{TOLD_BY_WORKER}{line}", file=sys.stderr, flush=True)


class Waiting(Generic[T]):
    """Entries until they are taken; what comes when so many wait is dropped.

    Args:
        most: entries that may wait.
        dropped: is told how many were dropped.
    """

    def __init__(self, most: int, dropped: Callable[[int], None]) -> None:
        self._most, self._dropped = most, dropped
        self._entries: deque[T] = deque()

    def put(self, entries: Sequence[T]) -> None:
        """Add entries."""
        fitting = entries[: max(0, self._most - len(self._entries))]
        self._entries.extend(fitting)
        if lost := len(entries) - len(fitting):
            self._dropped(lost)

    def take(self) -> list[T]:
        """Return those that wait, oldest first; they wait no longer."""
        return [self._entries.popleft() for _ in range(len(self._entries))]
