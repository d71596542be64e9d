"""The log of requests and recommendations, written in the background.

Only the first step sees what a client sends, and only the second what the client gets. So the first step adds
the client's tensors to those that it hands over, and the second writes both.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from m2trec_merlin.contract.names import (
    CHECKED,
    EVENT_ATTRIBUTES,
    ITEM_ATTRIBUTES,
    ITEM_IDS,
    OPTIONS,
    RECOMMENDED_IDS,
    SCORES,
)
from m2trec_merlin.contract.shown import PREFIX, SCHEMA, SUFFIX
from m2trec_merlin.errors import M2TRecError
from m2trec_merlin.serving.runtime.background import BoundedQueue
from m2trec_merlin.serving.runtime.observing.request_ids import id_of_answer
from m2trec_merlin.serving.runtime.steps.handover import add_to_checked

Tensors = Mapping[str, np.ndarray]

#: Most entries that wait to be encoded; rows of a file, and seconds after which it is written with fewer.
_MOST_WAITING, _ROWS, _SECONDS = 10_000, 20_000, 60.0
_SECONDS_A_DAY = 86_400
_ASKED = "asked"


def remember_asked(inputs: Tensors, handed_over: Tensors) -> dict[str, np.ndarray]:
    """Return the tensors that the first step hands over, with the client's tensors added to `CHECKED`.

    Args:
        inputs: tensors from the client, which the first step has read, so that all texts are valid UTF-8.
        handed_over: tensors that the first step made of them.
    """
    names = (ITEM_IDS, ITEM_ATTRIBUTES, EVENT_ATTRIBUTES, OPTIONS)
    asked = {name: _texts(inputs[name]) for name in names if name in inputs}
    return add_to_checked(handed_over, _ASKED, asked)


@dataclass(frozen=True)
class Shown:
    """A request that was answered, with K items.

    Attributes:
        time: time of the answer, in seconds since 1970.
        request_id: id of the request in the answer.
        checked: the tensor `CHECKED` from the first step.
        recommended_ids: bytes [1, K], ids of the items.
        scores: float32 [1, K], scores of the items.
    """

    time: float
    request_id: str
    checked: bytes
    recommended_ids: np.ndarray
    scores: np.ndarray

    def row(self, model: str) -> dict[str, Any]:
        """Return the row of the log."""
        asked = json.loads(self.checked).get(_ASKED, {})
        return {
            "time": round(self.time * 1000),
            "request_id": self.request_id,
            "model": model,
            "item_ids": asked.get(ITEM_IDS, []),
            "item_attributes": asked.get(ITEM_ATTRIBUTES, []),
            "event_attributes": asked.get(EVENT_ATTRIBUTES, []),
            "options": "".join(asked.get(OPTIONS, [])),
            "recommended_ids": _texts(self.recommended_ids),
            "scores": self.scores.ravel().tolist(),
        }


class ShownLog:
    """The files that one worker writes into a folder, which other workers may write to as well.

    Each file appears complete or not at all; if a worker is killed, its last minute is lost.

    Args:
        folder: an existing folder.
        days: age in days at which files are removed.
        model: fingerprint of the export that answers.
        dropped: function to call with the number of lost entries.
    """

    def __init__(self, folder: Path, days: int, model: str, dropped: Callable[[int], None]) -> None:
        self._folder, self._days, self._model, self._dropped = folder, days, model, dropped
        self._waiting: BoundedQueue[Shown] = BoundedQueue(_MOST_WAITING, dropped)
        self._batches: list[pa.RecordBatch] = []
        self._since = time.monotonic()
        # Other workers, even on other machines, may write into this folder in the same second.
        self._name, self._number = uuid4().hex[:12], count()

    def put(self, requests: Sequence[Tensors], answers: Sequence[Tensors | M2TRecError]) -> None:
        """Queue requests of the second step and their answers."""
        now = time.time()
        self._waiting.put(
            [
                Shown(
                    now,
                    id_of_answer(answer),
                    request[CHECKED].item(),
                    answer[RECOMMENDED_IDS],
                    answer[SCORES],
                )
                for request, answer in zip(requests, answers, strict=True)
                if not isinstance(answer, M2TRecError)
            ]
        )

    def write(self) -> None:
        """Encode the queued entries, and write a file if there are enough rows for one.

        Called about once a second, so that encoding never delays requests for long.

        Raises:
            OSError: the file cannot be written. Its rows are lost, as are rows that cannot be encoded.
        """
        if shown := self._waiting.take():
            if not self._batches:
                self._since = time.monotonic()
            try:
                rows = [each.row(self._model) for each in shown]
                self._batches.append(pa.RecordBatch.from_pylist(rows, schema=SCHEMA))
            except Exception:
                self._dropped(len(shown))
                raise
        rows_so_far = sum(batch.num_rows for batch in self._batches)
        if rows_so_far >= _ROWS or time.monotonic() - self._since >= _SECONDS:
            self.flush()

    def flush(self) -> None:
        """Remove files that are too old, and write all encoded rows.

        Raises:
            OSError: the rows cannot be written; they are lost.
        """
        batches, self._batches = self._batches, []
        self._since = time.monotonic()
        # First, as a full disk has room afterwards.
        self._remove_old()
        if batches:
            self._write(batches)

    def _write(self, batches: list[pa.RecordBatch]) -> None:
        table = pa.Table.from_batches(batches)
        now = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%S")
        path = self._folder / f"{PREFIX}{now}-{self._name}-{next(self._number)}{SUFFIX}"
        temporary = path.with_name(f".{path.name}.tmp")
        try:
            pq.write_table(table, temporary, compression="zstd")
            temporary.replace(path)
        except Exception:
            temporary.unlink(missing_ok=True)
            self._dropped(table.num_rows)
            raise

    def _remove_old(self) -> None:
        oldest = time.time() - self._days * _SECONDS_A_DAY
        for pattern in (f"{PREFIX}*{SUFFIX}", f".{PREFIX}*.tmp"):
            for path in self._folder.glob(pattern):
                # Another worker may have removed the file in the meantime, or it may belong to another user.
                with suppress(OSError):
                    if path.stat().st_mtime < oldest:
                        path.unlink()


def _texts(array: np.ndarray) -> list[str]:
    return [each.decode() if isinstance(each, bytes) else str(each) for each in array.ravel().tolist()]
