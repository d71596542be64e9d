"""The common code of both Triton models; it can be imported inside Triton's python backend only."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as backend

from m2trec_merlin.contract.metrics import METRICS
from m2trec_merlin.contract.server_settings import ServerSettings
from m2trec_merlin.contract.under_way import Counter
from m2trec_merlin.errors import M2TRecError, RefusedError
from m2trec_merlin.merlin_adapter import import_lightly
from m2trec_merlin.serving.runtime.observing.observed import EnsembleStep
from m2trec_merlin.serving.runtime.tally import Series, Tally
from m2trec_merlin.serving.runtime.worker import Worker


class StepModel:
    """A Triton model that moves tensors between Triton and a step, and the step's counts to Triton's metrics.

    Attributes:
        step_class: class of the step, set by the `TritonPythonModel` of each model.
    """

    step_class: Callable[[Path, Tally, bool], EnsembleStep]

    def initialize(self, args: dict[str, str]) -> None:
        """Load this version's files."""
        # The process that Triton starts for each model trains nothing.
        import_lightly()
        folder = Path(args["model_repository"]) / args["model_version"]
        settings = ServerSettings.read(os.environ)
        self.worker = Worker(type(self).step_class, folder, settings, TritonMetrics())
        under_way = settings.under_way
        self._counter = Counter(Path(under_way), args["model_name"]) if under_way else None

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer a batch of requests, each with tensors or with an error that says what to do."""
        if self._counter is None:
            return self._answer(requests)[0]
        self._counter.take(len(requests))
        answered = 0
        try:
            responses, answered = self._answer(requests)
            return responses
        finally:
            # On an exception, Triton answers all requests of the batch with it.
            self._counter.leave(answered, len(requests) - answered)

    def finalize(self) -> None:
        """Write and publish the last counts and log entries."""
        self.worker.close()

    def _answer(self, requests: list[Any]) -> tuple[list[Any], int]:
        """Return the responses, and how many of them are answers, not errors."""
        inputs = [{tensor.name(): tensor.as_numpy() for tensor in request.inputs()} for request in requests]
        answers = self.worker.answer(inputs, [_id_of(request) for request in requests])
        refused = sum(isinstance(answer, M2TRecError) for answer in answers)
        return [_response(answer) for answer in answers], len(answers) - refused


class TritonMetrics:
    """A `Sink` that exposes metrics as Triton's own, on its port for metrics.

    Triton has histograms, too, but takes their values one by one, each as a message to its process. So the
    parts of a histogram are counters here; Prometheus sees no difference.
    """

    def __init__(self) -> None:
        self._families: dict[str, Any] = {}
        self._metrics: dict[Series, Any] = {}
        self._meanings = {name: metric.meaning for metric in METRICS for name in metric.series}

    def add(self, series: Series, amount: float) -> None:
        """See `Sink.add`."""
        self._metric(series, backend.MetricFamily.COUNTER).increment(amount)

    def set(self, series: Series, value: float) -> None:
        """See `Sink.set`."""
        self._metric(series, backend.MetricFamily.GAUGE).set(value)

    def _metric(self, series: Series, kind: Any) -> Any:
        if series not in self._metrics:
            name, labels = series
            if name not in self._families:
                self._families[name] = backend.MetricFamily(
                    name=name, description=self._meanings[name], kind=kind
                )
            self._metrics[series] = self._families[name].Metric(labels=dict(labels))
        return self._metrics[series]


def _id_of(request: Any) -> str:
    try:
        return str(request.request_id())
    except UnicodeDecodeError:
        # Over HTTP an id may be any bytes, and an error here would fail all requests of the batch.
        return ""


def _response(answer: Mapping[str, np.ndarray] | M2TRecError) -> Any:
    if isinstance(answer, M2TRecError):
        is_refused = isinstance(answer, RefusedError)
        code = backend.TritonError.INVALID_ARG if is_refused else backend.TritonError.INTERNAL
        return backend.InferenceResponse(error=backend.TritonError(str(answer), code))
    return backend.InferenceResponse([backend.Tensor(name, array) for name, array in answer.items()])
