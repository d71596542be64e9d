"""A step as seen from outside: how long it takes, what it refuses, what it says in its log."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np

from m2trec_merlin.errors import M2TRecError
from m2trec_merlin.serving.contract.metrics import ANSWERED, REFUSED, REQUESTS
from m2trec_merlin.serving.contract.names import RECOMMENDED_IDS, WARNINGS
from m2trec_merlin.serving.runtime.lines import Line
from m2trec_merlin.serving.runtime.tally import StepTally

Tensors = dict[str, np.ndarray]


class Step(Protocol):
    """One step of the ensemble, see `steps.py`.

    Attributes:
        name: of the model in Triton.
        model: the version that answers.
        tally: what it counts.
    """

    name: str
    model: str
    tally: StepTally

    def answer(self, requests: Sequence[Mapping[str, np.ndarray]]) -> Sequence[Tensors | M2TRecError]:
        """Answer a batch of requests."""


class Observed:
    """Answers as a step does, and keeps count.

    Args:
        step: that answers.
        log: takes a line for each request, or for each that was refused.
        only_faulty: whether lines are for requests only that were refused.
    """

    def __init__(
        self, step: Step, log: Callable[[list[Line]], None] | None = None, only_faulty: bool = False
    ) -> None:
        self._step, self._log, self._only_faulty = step, log, only_faulty

    def answer(
        self, requests: Sequence[Mapping[str, np.ndarray]], request_ids: Sequence[str]
    ) -> Sequence[Tensors | M2TRecError]:
        """Answer a batch of requests."""
        started = time.perf_counter()
        answers = self._step.answer(requests)
        seconds = time.perf_counter() - started
        refused = sum(not isinstance(answer, dict) for answer in answers)
        tally = self._step.tally
        tally.took(seconds, len(answers))
        if refused < len(answers):
            tally.count(REQUESTS, len(answers) - refused, ANSWERED)
        if refused:
            tally.count(REQUESTS, refused, REFUSED)
        if self._log is not None and (refused or not self._only_faulty):
            self._log(self._lines(answers, request_ids, seconds))
        return answers

    def _lines(
        self, answers: Sequence[Tensors | M2TRecError], request_ids: Sequence[str], seconds: float
    ) -> list[Line]:
        """Return a line for each request that ends here: refused, or answered for good."""
        now, lines = time.time(), []
        for answer, request_id in zip(answers, request_ids, strict=True):
            if isinstance(answer, dict):
                if self._only_faulty or RECOMMENDED_IDS not in answer:
                    continue
                said = "", answer[RECOMMENDED_IDS].size, tuple(answer[WARNINGS].ravel().tolist())
            else:
                said = str(answer), 0, ()
            lines.append(Line(now, request_id, self._step.name, self._step.model, seconds * 1000, *said))
        return lines
