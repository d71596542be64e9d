"""How far a step is: what every long step tells, whoever listens.

Steps never print. They are given a `Progress`; the command line shows it on a terminal, tests keep it, a
notebook may do as it likes.
"""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Is told how a step goes."""

    def say(self, line: str) -> None:
        """Show one line to a person: what begins, or what came out."""

    def advance(self, task: str, done: int, total: int, note: str = "") -> None:
        """Tell that `done` of `total` parts of a task are done; `note` is a word on how it goes."""


class Silent:
    """Tells nobody."""

    def say(self, line: str) -> None:
        """Drop the line."""

    def advance(self, task: str, done: int, total: int, note: str = "") -> None:
        """Drop the news."""


#: For whoever does not want to know.
SILENT = Silent()
