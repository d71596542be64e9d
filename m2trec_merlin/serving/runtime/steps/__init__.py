"""The two steps of the ensemble as Triton calls them: named arrays in, named arrays or an error out.

The code in `triton_models/` only moves tensors between Triton and these classes. Every array has a leading
dimension of 1, since a request is one session; Triton batches requests, and a step answers a batch together.

    PreprocessStep   ids, raw attributes, options -> rows, encoded new items, checked options    preprocess.py
                     the tensors from the first to the second step, which checks them             handover.py
    PredictStep      rows, encoded new items, checked options -> recommendations                  predict.py
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from m2trec_merlin.errors import M2TRecError
from m2trec_merlin.serving.runtime.requests import Request
from m2trec_merlin.serving.runtime.steps.batches import Tensors
from m2trec_merlin.serving.runtime.steps.predict import PredictStep
from m2trec_merlin.serving.runtime.steps.preprocess import PreprocessStep

__all__ = ["PredictStep", "PreprocessStep", "Tensors", "answer_by_both"]


def answer_by_both(
    first: PreprocessStep, second: PredictStep, requests: Sequence[Mapping[str, np.ndarray]]
) -> list[Tensors | M2TRecError]:
    """Answer a batch by both steps in this process, as the ensemble does."""
    read = first.read(requests)
    answers = iter(second.recommend([each for each in read if isinstance(each, Request)]))
    return [next(answers) if isinstance(each, Request) else each for each in read]
