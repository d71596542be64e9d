"""Progress of long steps.

Steps never print. They report to a `Progress`; the command line shows it on a terminal, tests record it, a
notebook may do as it likes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Progress(Protocol):
    """A listener that a step reports its progress to."""

    def say(self, line: str) -> None:
        """Show one line to a person, such as what begins or what the result is."""

    def advance(self, task: str, done: int, total: int, note: str = "") -> None:
        """Report that `done` of `total` parts of a task are done; `note` says in a word how it goes.

        The first call introduces the task, possibly with `done` 0. `total` may change, for example when a
        training stops early. The task is over when `done` equals `total`.
        """


class Lines:
    """A `Progress` for scripts and logs: writes each line, and one for each task when it is done.

    Args:
        write: function that takes a line.
    """

    def __init__(self, write: Callable[[str], object] = print) -> None:
        self.write = write

    def say(self, line: str) -> None:
        """Write the line."""
        self.write(line)

    def advance(self, task: str, done: int, total: int, note: str = "") -> None:
        """Write a line if the task is done."""
        if done == total:
            self.write(f"{task}: {done:,} of {total:,}" + (f", {note}" if note else ""))


class Silent:
    """A `Progress` that drops everything."""

    def say(self, line: str) -> None:
        """Drop the line."""

    def advance(self, task: str, done: int, total: int, note: str = "") -> None:
        """Drop the report."""


#: The default where a caller gives no `Progress`.
SILENT = Silent()
