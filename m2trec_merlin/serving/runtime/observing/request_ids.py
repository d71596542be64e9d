"""What a request is called in logs: as its answer calls it."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np

from m2trec_merlin.contract.names import ABOUT, OPTIONS
from m2trec_merlin.serving.runtime.options.identity import RequestId

_OPTION = RequestId()


def id_of_answer(answer: Mapping[str, np.ndarray]) -> str:
    """Return the id by which an answer names its request, given by the client or made by the server."""
    return str(json.loads(answer[ABOUT].item())["request_id"])


def id_of_refused(request: Mapping[str, np.ndarray], given: str) -> str:
    """Return the id that the client gave a request that has no answer: as an option, or else to Triton.

    Args:
        request: its tensors, of any shape, with anything in them.
        given: the id that Triton was given; may be empty.
    """
    try:
        said = json.loads(request[OPTIONS].item())[_OPTION.name]
    except (ValueError, KeyError, TypeError, RecursionError):
        return given
    return str(said) if said is not None and _OPTION.fits(said) else given
