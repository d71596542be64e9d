"""Work in the background of requests: a thread that works periodically, and a queue of entries for it."""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from m2trec_merlin.contract.names import TOLD_BY_WORKER

T = TypeVar("T")


class Background:
    """A thread that calls a function periodically until it is closed.

    An error of the function is reported with `tell`, and the thread goes on.

    Args:
        work: function to call.
        seconds: pause between two calls.
        at_last: function to call once, after the last call of `work`.
    """

    def __init__(
        self, work: Callable[[], None], seconds: float, at_last: Callable[[], None] | None = None
    ) -> None:
        self._work, self._seconds, self._at_last = work, seconds, at_last
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Call `work` a last time, then `at_last`, and wait until both are done."""
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
    """Write a message for the operator as a line of Triton's log, which `m2trec serve` prints."""
    line = " ".join(text.split())
    print(f"{TOLD_BY_WORKER}{line}", file=sys.stderr, flush=True)


class BoundedQueue(Generic[T]):
    """A bounded queue: entries that do not fit are dropped.

    Args:
        most: largest number of entries in the queue.
        dropped: function that takes the number of dropped entries.
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
        """Remove all entries and return them, oldest first."""
        return [self._entries.popleft() for _ in range(len(self._entries))]
