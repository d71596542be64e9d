"""Ids of requests for logs, the same as in answers."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np

from m2trec_merlin.contract.names import ABOUT, OPTIONS
from m2trec_merlin.serving.runtime.options.identity import RequestId

_OPTION = RequestId()


def id_of_answer(answer: Mapping[str, np.ndarray]) -> str:
    """Return the request id of an answer, which the client gave or the server made."""
    return str(json.loads(answer[ABOUT].item())["request_id"])


def id_of_refused(request: Mapping[str, np.ndarray], given: str) -> str:
    """Return the id that the client gave a request without an answer: as an option, or else in Triton.

    Args:
        request: tensors of the request, unchecked.
        given: id of the request in Triton; may be empty.
    """
    try:
        said = json.loads(request[OPTIONS].item())[_OPTION.name]
    except (ValueError, KeyError, TypeError, RecursionError):
        return given
    return str(said) if said is not None and _OPTION.fits(said) else given
