"""Second step of the ensemble: from catalogue rows and encoded items to recommendations."""

from m2trec_merlin.serving.runtime.python_backend import StepModel
from m2trec_merlin.serving.runtime.steps import PredictStep


class TritonPythonModel(StepModel):
    """The class that Triton's python backend looks for."""

    step_class = PredictStep
