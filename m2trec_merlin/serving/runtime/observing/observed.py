"""A step together with its metrics and logs."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np

from m2trec_merlin.contract.metrics import ANSWERED, DROPPED, FAILED, REFUSED, REQUESTS
from m2trec_merlin.contract.names import PREDICT, PREPROCESS, RECOMMENDED_IDS, WARNINGS
from m2trec_merlin.contract.server_settings import ServerSettings
from m2trec_merlin.errors import M2TRecError, RefusedError, ServerError
from m2trec_merlin.serving.runtime.background import Background, BoundedQueue
from m2trec_merlin.serving.runtime.observing.lines import Line, write_line
from m2trec_merlin.serving.runtime.observing.request_ids import id_of_answer, id_of_refused
from m2trec_merlin.serving.runtime.observing.shown_log import ShownLog, remember_asked
from m2trec_merlin.serving.runtime.tally import StepTally

Tensors = dict[str, np.ndarray]
Answers = Sequence[Tensors | M2TRecError]

_SECONDS_BETWEEN_LINES, _SECONDS_BETWEEN_BATCHES = 0.1, 1.0
_MOST_LINES = 10_000


class EnsembleStep(Protocol):
    """One step of the ensemble, see `serving.runtime.steps`.

    Attributes:
        name: name of the step's model in Triton.
        model: fingerprint of the export that answers.
        tally: counts of the step.
    """

    name: str
    model: str
    tally: StepTally

    def answer(
        self, requests: Sequence[Mapping[str, np.ndarray]], request_ids: Sequence[str] | None = None
    ) -> Answers:
        """Answer a batch of requests; an id is "" where the client gave none."""

    def close(self) -> None:
        """End all work in the background."""


class Observed:
    """A step whose answers are counted and logged.

    Args:
        step: the step that answers.
        settings: settings of the logs.
    """

    def __init__(self, step: EnsembleStep, settings: ServerSettings) -> None:
        self.step = step
        self._only_faulty = settings.log_json == "faulty"
        self._beside: list[Background] = []
        self._lines: BoundedQueue[Line] | None = None
        if settings.log_json != "none":
            self._lines = BoundedQueue(_MOST_LINES, partial(self._lose, "lines"))
            write = partial(self._write, settings.lines_to, self._lines)
            self._beside.append(Background(write, _SECONDS_BETWEEN_LINES))
        self._remember = bool(settings.shown) and step.name == PREPROCESS
        self._shown: ShownLog | None = None
        if settings.shown and step.name == PREDICT:
            folder, days = Path(settings.shown), settings.shown_days
            self._shown = ShownLog(folder, days, step.model, partial(self._lose, "shown"))
            self._beside.append(Background(self._shown.write, _SECONDS_BETWEEN_BATCHES, self._shown.flush))

    def answer(self, requests: Sequence[Mapping[str, np.ndarray]], request_ids: Sequence[str]) -> Answers:
        """Answer a batch of requests, given their ids in Triton."""
        started = time.perf_counter()
        try:
            answers = self.step.answer(requests, request_ids)
        except Exception as error:
            # The caller answers all requests of the batch with the error, so all of them count as failed.
            failed = [ServerError(f"{type(error).__name__}: {error}")] * len(requests)
            self._note(requests, failed, request_ids, time.perf_counter() - started)
            raise
        self._note(requests, answers, request_ids, time.perf_counter() - started)
        if self._shown is not None:
            self._shown.put(requests, answers)
        if not self._remember:
            return answers
        return [
            answer if isinstance(answer, M2TRecError) else remember_asked(request, answer)
            for request, answer in zip(requests, answers, strict=True)
        ]

    def _note(
        self,
        requests: Sequence[Mapping[str, np.ndarray]],
        answers: Answers,
        request_ids: Sequence[str],
        seconds: float,
    ) -> None:
        """Count answers, and queue their lines for the log."""
        outcomes = Counter(map(_outcome_of, answers))
        tally = self.step.tally
        tally.took(seconds, len(answers))
        for outcome, count in outcomes.items():
            tally.count(REQUESTS, count, outcome)
        if self._lines is not None and (outcomes[ANSWERED] < len(answers) or not self._only_faulty):
            self._lines.put(self._lines_of(requests, answers, request_ids, seconds))

    def close(self) -> None:
        """Write what is left to write, and end all threads."""
        self.step.close()
        for each in self._beside:
            each.close()

    def _lines_of(
        self,
        requests: Sequence[Mapping[str, np.ndarray]],
        answers: Answers,
        request_ids: Sequence[str],
        seconds: float,
    ) -> list[Line]:
        """Return a line for each request that ends in this step: by an error, or with recommendations."""
        now, lines = time.time(), []
        for request, answer, given in zip(requests, answers, request_ids, strict=True):
            if isinstance(answer, M2TRecError):
                name = id_of_refused(request, given)
                said: tuple[str, int, tuple[bytes, ...]] = (str(answer), 0, ())
            elif self._only_faulty or RECOMMENDED_IDS not in answer:
                continue
            else:
                name = id_of_answer(answer)
                said = "", answer[RECOMMENDED_IDS].size, tuple(answer[WARNINGS].ravel().tolist())
            lines.append(
                Line(now, name, self.step.name, self.step.model, seconds * 1000, _outcome_of(answer), *said)
            )
        return lines

    def _write(self, descriptor: int, lines: BoundedQueue[Line]) -> None:
        taken, written = lines.take(), 0
        try:
            for line in taken:
                write_line(descriptor, line)
                written += 1
        finally:
            if written < len(taken):
                self._lose("lines", len(taken) - written)

    def _lose(self, log: str, entries: int) -> None:
        self.step.tally.count(DROPPED, entries, log)


def _outcome_of(answer: Tensors | M2TRecError) -> str:
    if isinstance(answer, M2TRecError):
        return REFUSED if isinstance(answer, RefusedError) else FAILED
    return ANSWERED
