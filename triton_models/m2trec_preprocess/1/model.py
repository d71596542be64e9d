"""First step of the ensemble: from ids and raw attributes to catalogue rows and encoded items."""

from m2trec_merlin.serving.runtime.python_backend import StepModel
from m2trec_merlin.serving.runtime.steps import PreprocessStep


class TritonPythonModel(StepModel):
    """The class that Triton's python backend looks for."""

    step_class = PreprocessStep
