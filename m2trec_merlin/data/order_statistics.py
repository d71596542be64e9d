"""Find the n-th smallest of any number of whole numbers in constant memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator

import numpy as np

_BINS = 1 << 20
_READ_AT_ONCE = 1 << 20


class NumbersOnDisk:
    """A collection of whole numbers in a temporary file, 8 bytes each (`TMPDIR` chooses the disk).

    The file is there until the end of the `with` statement that this is used in.
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="m2trec-numbers-")  # noqa: SIM115 (closed in __exit__)
        self._smallest, self._largest = np.iinfo(np.int64).max, np.iinfo(np.int64).min
        self._count = 0

    def __enter__(self) -> NumbersOnDisk:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def __len__(self) -> int:
        return self._count

    def add(self, numbers: np.ndarray) -> None:
        """Add numbers, int64 [n]."""
        if len(numbers):
            self._file.write(np.ascontiguousarray(numbers, np.int64).tobytes())
            self._smallest = min(self._smallest, int(numbers.min()))
            self._largest = max(self._largest, int(numbers.max()))
            self._count += len(numbers)

    def nth(self, place: int) -> int:
        """Return the number at `place`, counted from 0, of all numbers in rising order.

        Each pass over the file divides the interval that contains the number by a million.

        Raises:
            IndexError: there is no such place.
        """
        if not 0 <= place < self._count:
            raise IndexError(f"place {place} of {self._count} numbers")
        low, high = self._smallest, self._largest
        while low < high:
            width = (high - low) // _BINS + 1
            counts = np.zeros(_BINS, np.int64)
            below = 0
            for numbers in self._read():
                below += int((numbers < low).sum())
                inside = numbers[(numbers >= low) & (numbers <= high)]
                # The difference of any two int64 fits into a uint64.
                offsets = inside.view(np.uint64) - np.uint64(low % (1 << 64))
                counts += np.bincount((offsets // np.uint64(width)).astype(np.int64), minlength=_BINS)
            chosen = int(np.searchsorted(below + np.cumsum(counts), place, side="right"))
            low, high = low + chosen * width, min(high, low + (chosen + 1) * width - 1)
        return low

    def _read(self) -> Iterator[np.ndarray]:
        self._file.seek(0)
        while block := self._file.read(_READ_AT_ONCE * 8):
            yield np.frombuffer(block, np.int64)
        self._file.seek(0, 2)
