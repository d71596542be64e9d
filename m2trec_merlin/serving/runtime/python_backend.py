"""What both Triton models have in common; can be imported inside Triton's python backend only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import triton_python_backend_utils as backend

from m2trec_merlin.errors import M2TRecError


class Step(Protocol):
    """One step of the ensemble, see `steps.py`."""

    def __init__(self, directory: Path) -> None:
        """Load the files of a version folder."""

    def answer(
        self, requests: Sequence[Mapping[str, np.ndarray]], request_ids: Sequence[str]
    ) -> Sequence[dict[str, np.ndarray] | M2TRecError]:
        """Answer a batch of requests; an id is empty where the client gave none."""


class StepModel:
    """Moves tensors between Triton and a step.

    Attributes:
        step_class: which step; a model's `TritonPythonModel` says.
    """

    step_class: type[Step]

    def initialize(self, args: dict[str, str]) -> None:
        """Load this version's files."""
        self.step = self.step_class(Path(args["model_repository"]) / args["model_version"])

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer a batch of requests, each by tensors or by an error that says what to do."""
        inputs = [{tensor.name(): tensor.as_numpy() for tensor in request.inputs()} for request in requests]
        request_ids = [request.request_id() for request in requests]
        return [_response(answer) for answer in self.step.answer(inputs, request_ids)]


def _response(answer: dict[str, np.ndarray] | M2TRecError) -> Any:
    if isinstance(answer, dict):
        return backend.InferenceResponse([backend.Tensor(name, array) for name, array in answer.items()])
    return backend.InferenceResponse(error=backend.TritonError(str(answer), backend.TritonError.INVALID_ARG))
