"""How many requests the workers of a server have: a file a worker, which it alone writes, in a folder.

Each file is mapped into the memory of its worker, so that counting is a store; whoever ends the server reads
it. Two processes never write to one file.
"""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_FORMAT = struct.Struct("=3q")


@dataclass(frozen=True)
class Counts:
    """Of one worker, or of several together.

    Attributes:
        taken: requests that came to it.
        answered: those of them that it answered; the first step of the ensemble hands these on.
        refused: those that it answered by an error, with which a request ends.
    """

    taken: int = 0
    answered: int = 0
    refused: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.taken + other.taken, self.answered + other.answered, self.refused + other.refused)

    @property
    def left(self) -> int:
        """Requests that it no longer has."""
        return self.answered + self.refused


class Counter:
    """Counts the requests of this process.

    Args:
        folder: with the files of all workers.
        step: name of its model in Triton.
    """

    def __init__(self, folder: Path, step: str) -> None:
        path = folder / f"{step}.{os.getpid()}"
        # Written, not only made longer: a full disk is told here, and would kill the process at a store.
        path.write_bytes(_FORMAT.pack(0, 0, 0))
        with path.open("r+b") as file:
            self._counts = memoryview(mmap.mmap(file.fileno(), _FORMAT.size)).cast("q")

    def take(self, requests: int) -> None:
        """Count requests that came."""
        self._counts[0] += requests

    def leave(self, answered: int, refused: int) -> None:
        """Count requests that were answered, and those that were answered by an error."""
        self._counts[1] += answered
        self._counts[2] += refused


def read_counts(folder: Path, step: str) -> dict[str, Counts]:
    """Return what the workers of a step have counted so far, by the names of their files."""
    return dict(_read(folder, step))


def _read(folder: Path, step: str) -> Iterator[tuple[str, Counts]]:
    for path in folder.glob(f"{step}.*"):
        data = path.read_bytes()
        # It is empty for a moment.
        if len(data) == _FORMAT.size:
            yield path.name, Counts(*_FORMAT.unpack(data))
