"""The tensors of one request of a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from m2trec_merlin.errors import RefusedError
from m2trec_merlin.serving.runtime.notes import cut
from m2trec_merlin.serving.runtime.steps.handover import one_session

Tensors = dict[str, np.ndarray]


def session_tensors(
    inputs: Mapping[str, np.ndarray], required: Sequence[str], optional: Sequence[str] = ()
) -> dict[str, np.ndarray]:
    """Return the tensors of one session, each without its leading dimension.

    Raises:
        RefusedError: a tensor is missing, unknown, or of the wrong shape or type.
    """
    if missing := [name for name in required if name not in inputs]:
        raise RefusedError(f"{', '.join(missing)}: missing, and there is no answer without")
    for name in inputs:
        if name not in required and name not in optional:
            accepted = ", ".join([*required, *optional])
            raise RefusedError(f"{cut(name)}: no such tensor; accepted: {accepted}")
    return {name: one_session(name, array) for name, array in inputs.items()}
