"""How far a step is: what every long step tells, whoever listens.

Steps never print. They are given a `Progress`; the command line shows it on a terminal, tests keep it, a
notebook may do as it likes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Progress(Protocol):
    """Is told how a step goes."""

    def say(self, line: str) -> None:
        """Show one line to a person: what begins, or what came out."""

    def advance(self, task: str, done: int, total: int, note: str = "") -> None:
        """Tell that `done` of `total` parts of a task are done; `note` is a word on how it goes.

        The first call names the task, and may say that nothing is done yet. `total` may change, as where a
        training stops early; with `done` equal to it the task is over.
        """


class Lines:
    """Writes each line, and each task when it is done: for scripts and logs.

    Args:
        write: takes a line.
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
    """Tells nobody."""

    def say(self, line: str) -> None:
        """Drop the line."""

    def advance(self, task: str, done: int, total: int, note: str = "") -> None:
        """Drop the news."""


#: For whoever does not want to know.
SILENT = Silent()
