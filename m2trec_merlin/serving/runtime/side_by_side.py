"""Two exports served at once: each session is answered by one of them, the same one every time.

The first step chooses by the option `session_key`, and stamps the tensors that it hands over with the version
that read the request, 0 or 1. The second step obeys the stamp, so that rows of one catalogue are never looked
up in the other.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence

import numpy as np

from m2trec_merlin.contract.names import CHECKED, OPTIONS, PREPROCESS
from m2trec_merlin.errors import M2TRecError
from m2trec_merlin.serving.runtime.observing.observed import Answers, Observed, Tensors
from m2trec_merlin.serving.runtime.options.session_key import SessionKey
from m2trec_merlin.serving.runtime.steps.handover import add_to_checked

_STAMP = "version"
_KEY = SessionKey()


class SideBySide:
    """Two versions of a step, one of which answers each request.

    Args:
        first: version that answers all other sessions.
        second: version that answers a share of the sessions with a key.
        share: this share, between 0 and 1.
    """

    def __init__(self, first: Observed, second: Observed, share: float) -> None:
        self._versions = (first, second)
        self._share = share
        self._is_first_step = first.step.name == PREPROCESS

    def answer(self, requests: Sequence[Mapping[str, np.ndarray]], request_ids: Sequence[str]) -> Answers:
        """Answer a batch of requests, each by its version, in their order."""
        answers: dict[int, Tensors | M2TRecError] = {}
        places = [self._place_of(request) for request in requests]
        for place, version in enumerate(self._versions):
            own = [number for number, each in enumerate(places) if each == place]
            if not own:
                continue
            found = version.answer([requests[n] for n in own], [request_ids[n] for n in own])
            if self._is_first_step:
                # Not the fingerprint: copies of one export have the same one, but catalogues of their own.
                found = [
                    each if isinstance(each, M2TRecError) else add_to_checked(each, _STAMP, place)
                    for each in found
                ]
            answers.update(zip(own, found, strict=True))
        return [answers[number] for number in range(len(requests))]

    def _place_of(self, request: Mapping[str, np.ndarray]) -> int:
        """Return which version answers; a request that cannot be read goes to the first, to be refused."""
        try:
            said = json.loads(request[OPTIONS if self._is_first_step else CHECKED].item())
            if not self._is_first_step:
                return int(said[_STAMP] == 1)
            key = said.get(_KEY.name)
            return int(_KEY.fits(key) and key is not None and falls_within(str(key), self._share))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return 0


def falls_within(key: str, share: float) -> bool:
    """Tell whether a key falls within a share of all keys; it still does when the share grows."""
    digest = hashlib.sha256(key.encode(errors="replace")).digest()
    return int.from_bytes(digest[:8], "big") < share * 2**64
