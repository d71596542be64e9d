"""Second step of the ensemble: catalogue rows and encoded items to recommendations."""

from pathlib import Path
from typing import Any

import triton_python_backend_utils as backend

from m2trec_merlin.serving.steps import PredictStep


class TritonPythonModel:
    """Moves tensors between Triton and `PredictStep`."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load this version's files."""
        self.step = PredictStep(Path(args["model_repository"]) / args["model_version"])

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer a batch of requests, each by tensors or by an error that says what to do."""
        inputs = [{tensor.name(): tensor.as_numpy() for tensor in request.inputs()} for request in requests]
        return [_response(answer) for answer in self.step.answer(inputs)]


def _response(answer: Any) -> Any:
    if isinstance(answer, dict):
        return backend.InferenceResponse([backend.Tensor(name, array) for name, array in answer.items()])
    return backend.InferenceResponse(error=backend.TritonError(str(answer), backend.TritonError.INVALID_ARG))
