"""What both steps do with a batch of requests, each of which may be at fault."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import numpy as np

from m2trec_merlin.errors import M2TRecError, RefusedError
from m2trec_merlin.serving.runtime.notes import cut
from m2trec_merlin.serving.runtime.steps.handover import one_session

Tensors = dict[str, np.ndarray]
Asked = TypeVar("Asked")
Parsed = TypeVar("Parsed")
Answered = TypeVar("Answered")


def answer_good(
    requests: Sequence[Asked],
    parse: Callable[[Asked], Parsed],
    answer: Callable[[list[Parsed]], list[Answered | M2TRecError]],
) -> list[Answered | M2TRecError]:
    """Parse each request by itself, answer those without an error together, keep the order."""
    parsed: dict[int, Parsed] = {}
    results: dict[int, Answered | M2TRecError] = {}
    for index, request in enumerate(requests):
        try:
            parsed[index] = parse(request)
        except M2TRecError as error:
            results[index] = error
    if parsed:
        results.update(zip(parsed, answer(list(parsed.values())), strict=True))
    return [results[index] for index in range(len(requests))]


def session_tensors(
    inputs: Mapping[str, np.ndarray], required: Sequence[str], optional: Sequence[str] = ()
) -> dict[str, np.ndarray]:
    """Return the tensors of one session, each without its leading dimension.

    Raises:
        RefusedError: one is missing, unknown, or of another shape or type.
    """
    if missing := [name for name in required if name not in inputs]:
        raise RefusedError(f"{', '.join(missing)}: missing, and there is no answer without")
    for name in inputs:
        if name not in required and name not in optional:
            accepted = ", ".join([*required, *optional])
            raise RefusedError(f"{cut(name)}: no such tensor; accepted: {accepted}")
    return {name: one_session(name, array) for name, array in inputs.items()}
