"""The log that Triton and its workers write while they run."""

from __future__ import annotations

import re
from pathlib import Path

from m2trec_merlin.contract.names import TOLD_BY_WORKER

#: Most lines of Triton's log in an error.
_TOLD_LINES = 30
#: Lines that distract from the cause of a failure: remarks on absent GPUs, and Triton's table of settings.
_NOISE = re.compile(r"CUDA|NVML|DCGM|libdcgm|pinned|^[|+]")
_INFORMATION = re.compile(r"I\d{4} ")


class TritonLog:
    """Triton's log.

    Args:
        path: path of the log file.
        models: path of the models for Triton, a link.
        repository: path of the model repository, which replaces `models` in messages.
    """

    def __init__(self, path: Path, models: Path, repository: Path) -> None:
        self.path = path
        self._models, self._repository = str(models), str(repository)
        self._read, self._told = 0, ""

    def last_messages(self) -> str:
        """Return Triton's last warnings and errors, or its last messages if there are none."""
        messages = [line for line in self._lines(self._content()) if line and not _NOISE.search(line)]
        serious = [line for line in messages if not _INFORMATION.match(line)]
        return "\n".join(
            ["Triton's last messages:", *(f"  {line}" for line in (serious or messages)[-_TOLD_LINES:])]
        )

    def told_by_workers(self) -> list[str]:
        """Return the workers' messages since the last call, one per line, without consecutive repetitions."""
        content = self._content(self._read)
        whole = content[: content.rfind(b"\n") + 1]
        self._read += len(whole)
        told = []
        for line in self._lines(whole):
            if line.startswith(TOLD_BY_WORKER) and line != self._told:
                self._told = line
                told.append(line.removeprefix(TOLD_BY_WORKER))
        return told

    def _content(self, start: int = 0) -> bytes:
        if not self.path.is_file():
            return b""
        with self.path.open("rb") as file:
            file.seek(start)
            return file.read()

    def _lines(self, content: bytes) -> list[str]:
        text = content.decode(errors="replace")
        return text.replace(self._models, self._repository).splitlines()
