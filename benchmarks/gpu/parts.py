"""Pack a folder into an archive of several files of bounded size, and unpack it. Standard library only."""

from __future__ import annotations

import io
import lzma
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, cast

#: A size that most ways of copying to a machine accept.
PART_SIZE = 46 << 20
_NAME = "part-{:02d}"


def pack(folder: Path, target: Path, size: int = PART_SIZE, preset: int = 6) -> list[Path]:
    """Write everything in a folder to `target`, as files `part-00`, `part-01`, ... of at most `size` bytes.

    Args:
        folder: folder to archive; links are archived as links.
        target: folder for the parts, which must not hold any yet.
        size: the greatest size of a part in bytes.
        preset: compression preset of xz, 0 to 9.
    """
    target.mkdir(parents=True, exist_ok=True)
    writer = _Writer(target, size)
    with (
        writer,
        lzma.open(cast(IO[bytes], writer), "wb", preset=preset) as compressed,
        tarfile.open(fileobj=compressed, mode="w|") as archive,
    ):
        for path in sorted(folder.iterdir()):
            archive.add(path, path.name)
    return writer.parts


def unpack(parts: Sequence[Path], folder: Path) -> None:
    """Extract an archive that `pack` wrote.

    Raises:
        tarfile.TarError, lzma.LZMAError, EOFError: parts are missing, damaged or in another order.
    """
    folder.mkdir(parents=True, exist_ok=True)
    reader = io.BufferedReader(_Reader(parts))
    with tarfile.open(fileobj=reader, mode="r|xz") as archive:
        archive.extractall(folder, filter="tar")


class _Writer(io.RawIOBase):
    def __init__(self, target: Path, size: int) -> None:
        self.parts: list[Path] = []
        self._target, self._size = target, size
        self._file: io.BufferedWriter | None = None

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        rest = memoryview(data)
        while rest:
            if self._file is None or self._file.tell() == self._size:
                self._next()
            assert self._file is not None
            written = self._file.write(rest[: self._size - self._file.tell()])
            rest = rest[written:]
        return len(data)

    def _next(self) -> None:
        if self._file is not None:
            self._file.close()
        self.parts.append(self._target / _NAME.format(len(self.parts)))
        self._file = self.parts[-1].open("wb")

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        super().close()


class _Reader(io.RawIOBase):
    def __init__(self, parts: Sequence[Path]) -> None:
        self._waiting = list(parts)
        self._file: io.BufferedReader | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while True:
            if self._file is not None and (count := self._file.readinto(buffer)):
                return count
            if self._file is not None:
                self._file.close()
                self._file = None
            if not self._waiting:
                return 0
            self._file = self._waiting.pop(0).open("rb")
