"""Counts of the requests that each worker of a server has: one file per worker, in a folder.

Each file is mapped into the memory of its worker, so counting costs only a store to memory. The process that
stops the server reads the files. Two processes never write to one file.
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
    """Counts of one worker, or the sum of several.

    Attributes:
        taken: number of requests that arrived.
        answered: number of requests that were answered; the first step hands these to the second.
        refused: number of requests that were answered by an error, which ends the request.
    """

    taken: int = 0
    answered: int = 0
    refused: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.taken + other.taken, self.answered + other.answered, self.refused + other.refused)

    @property
    def left(self) -> int:
        """Number of requests that are no longer in the worker."""
        return self.answered + self.refused


class Counter:
    """The counts of this process.

    Args:
        folder: folder with the files of all workers.
        step: name of the worker's model in Triton.
    """

    def __init__(self, folder: Path, step: str) -> None:
        path = folder / f"{step}.{os.getpid()}"
        # Written, not only extended: a full disk raises an error here, but would kill the process at a store.
        path.write_bytes(_FORMAT.pack(0, 0, 0))
        with path.open("r+b") as file:
            self._counts = memoryview(mmap.mmap(file.fileno(), _FORMAT.size)).cast("q")

    def take(self, requests: int) -> None:
        """Count requests that arrived."""
        self._counts[0] += requests

    def leave(self, answered: int, refused: int) -> None:
        """Count requests that were answered, and requests that were answered by an error."""
        self._counts[1] += answered
        self._counts[2] += refused


def read_counts(folder: Path, step: str) -> dict[str, Counts]:
    """Return the counts of the workers of a step so far, by the names of their files."""
    return dict(_read(folder, step))


def _read(folder: Path, step: str) -> Iterator[tuple[str, Counts]]:
    for path in folder.glob(f"{step}.*"):
        data = path.read_bytes()
        # A new file is empty for a moment.
        if len(data) == _FORMAT.size:
            yield path.name, Counts(*_FORMAT.unpack(data))
