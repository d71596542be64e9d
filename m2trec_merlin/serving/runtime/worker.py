"""All that a worker of Triton does for a step: answers, counts and logs, without knowing Triton."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from m2trec_merlin.errors import M2TRecError
from m2trec_merlin.serving.contract.metrics import DROPPED
from m2trec_merlin.serving.contract.names import PREDICT, PREPROCESS
from m2trec_merlin.serving.contract.surroundings import Surroundings
from m2trec_merlin.serving.runtime.background import Background, Waiting
from m2trec_merlin.serving.runtime.lines import Line, write_lines
from m2trec_merlin.serving.runtime.observing import Observed, Step, Tensors
from m2trec_merlin.serving.runtime.shown_log import ShownLog, remember_asked
from m2trec_merlin.serving.runtime.tally import Sink, Tally

_SECONDS_BETWEEN_METRICS, _SECONDS_BETWEEN_LINES, _SECONDS_BETWEEN_BATCHES = 0.5, 0.1, 1.0
_MOST_LINES = 10_000


class Worker:
    """A step with its metrics and logs.

    Args:
        step_class: makes the step from a version folder.
        folder: the version folder.
        surroundings: which logs to write.
        sink: where metrics are exposed.
    """

    def __init__(
        self,
        step_class: Callable[[Path, Tally], Step],
        folder: Path,
        surroundings: Surroundings,
        sink: Sink,
    ) -> None:
        tally = Tally()
        step = step_class(folder, tally)
        self._beside: list[Background] = []
        log = None
        if surroundings.log_json != "none":
            lines: Waiting[Line] = Waiting(_MOST_LINES, partial(_lose, step, "lines"))
            write = partial(_write, surroundings.lines_to, lines)
            self._beside.append(Background(write, _SECONDS_BETWEEN_LINES))
            log = lines.put
        self._step = Observed(step, log, only_faulty=surroundings.log_json == "faulty")
        self._remember = bool(surroundings.shown) and step.name == PREPROCESS
        self._shown: ShownLog | None = None
        if surroundings.shown and step.name == PREDICT:
            lose = partial(_lose, step, "shown")
            self._shown = ShownLog(Path(surroundings.shown), surroundings.shown_days, step.model, lose)
            self._beside.append(Background(self._shown.write, _SECONDS_BETWEEN_BATCHES, self._shown.flush))
        # What is counted is there before the first request.
        tally.publish(sink)
        self._beside.append(Background(partial(tally.publish, sink), _SECONDS_BETWEEN_METRICS))

    def answer(
        self, requests: Sequence[Mapping[str, np.ndarray]], request_ids: Sequence[str]
    ) -> Sequence[Tensors | M2TRecError]:
        """Answer a batch of requests, which their clients may have given ids."""
        answers = self._step.answer(requests, request_ids)
        if self._shown is not None:
            self._shown.put(requests, answers, request_ids)
        if not self._remember:
            return answers
        return [
            remember_asked(request, answer) if isinstance(answer, dict) else answer
            for request, answer in zip(requests, answers, strict=True)
        ]

    def close(self) -> None:
        """Write and publish what is left."""
        for each in self._beside:
            each.close()


def _lose(step: Step, log: str, entries: int) -> None:
    step.tally.count(DROPPED, entries, log)


def _write(descriptor: int, lines: Waiting[Line]) -> None:
    write_lines(descriptor, lines.take())
