"""The log of lines of JSON: one for each request, or for each request that ended in an error."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from m2trec_merlin.errors import shorten

#: Limits that keep a line within 4 KiB: a pipe keeps that much in one piece if several processes write to it.
_LONGEST_ID, _LONGEST_WARNING, _MOST_WARNINGS, _LONGEST_ERROR = 100, 150, 3, 300


@dataclass(frozen=True)
class Line:
    """The outcome of a request in a step.

    Attributes:
        time: time of the answer, in seconds since 1970.
        request_id: id of the request in the answer; for an error, the client's own, if any.
        step: name of the step's model in Triton.
        model: fingerprint of the export that answered.
        milliseconds: duration of the request's batch.
        outcome: answered, refused or failed, as in `contract/metrics.py`.
        error: why there is no answer; empty if there is one.
        recommended: number of items in the answer.
        warnings: warnings of the answer.
    """

    time: float
    request_id: str
    step: str
    model: str
    milliseconds: float
    outcome: str
    error: str
    recommended: int
    warnings: tuple[bytes, ...]

    def text(self) -> str:
        """Return the line with its newline, at most 4 KiB."""
        when = datetime.fromtimestamp(self.time, timezone.utc).isoformat(timespec="milliseconds")
        said: dict[str, Any] = {
            "time": when,
            "event": self.outcome,
            "request_id": shorten(self.request_id, _LONGEST_ID),
            "step": self.step,
            "model": self.model,
            "milliseconds": round(self.milliseconds, 3),
        }
        if self.error:
            said["error"] = shorten(self.error, _LONGEST_ERROR)
        else:
            texts = [warning.decode() for warning in self.warnings[:_MOST_WARNINGS]]
            warnings = [shorten(text, _LONGEST_WARNING) for text in texts]
            said |= {"recommended": self.recommended, "warnings": warnings}
        return json.dumps(said, ensure_ascii=False) + "\n"


def write_line(descriptor: int, line: Line) -> None:
    """Write a line to a file descriptor, in one piece.

    Raises:
        OSError: the reader of a pipe is gone, or the disk is full.
    """
    text = line.text().encode(errors="replace")
    while text:
        text = text[os.write(descriptor, text) :]
