"""First step of the ensemble: ids and raw attributes of a session to catalogue rows and encoded items."""

from m2trec_merlin.serving.runtime.python_backend import StepModel
from m2trec_merlin.serving.runtime.steps import PreprocessStep


class TritonPythonModel(StepModel):
    """What Triton's python backend looks for."""

    step_class = PreprocessStep
