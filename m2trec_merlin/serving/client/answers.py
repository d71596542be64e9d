"""Answers of a server: recommendations parsed from tensors, or an error that says what to do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from m2trec_merlin.contract.about import About
from m2trec_merlin.contract.explanation import Explanation
from m2trec_merlin.contract.names import (
    ABOUT,
    ENSEMBLE,
    EVENT_ATTRIBUTES,
    EXPLANATIONS,
    RECOMMENDED_IDS,
    SCORES,
    TITLES,
    WARNINGS,
    category_tensors,
)
from m2trec_merlin.errors import NoAnswerError, RefusedError, ServerError

#: What Triton says itself, before a model sees the request, of the one tensor that only some models have.
_NO_EVENTS = re.compile(rf"(?:unexpected inference input|expected number of inputs).*'{EVENT_ATTRIBUTES}'")


@dataclass(frozen=True)
class Recommendations:
    """The items recommended for a session, best first.

    Attributes:
        item_ids: ids of the items, at most top_k.
        titles: titles of the items.
        scores: scores of the items, comparable within one answer only.
        categories: for each predicted attribute, its most probable values for the next item with their
            probabilities.
        warnings: what the server ignored, and why an answer is shorter than expected or different.
        about: which request was answered, and by which versions of model and catalogue.
        explanations: why the first items are in the answer, if that was asked for.
    """

    item_ids: list[str]
    titles: list[str]
    scores: list[float]
    categories: dict[str, list[tuple[str, float]]]
    warnings: list[str]
    about: About
    explanations: list[Explanation] = field(default_factory=list)


def parse_answer(outputs: Mapping[str, np.ndarray]) -> Recommendations:
    """Return the recommendations in the tensors of an answer, given without their leading dimension."""
    texts = {n: [t.decode() for t in a.tolist()] for n, a in outputs.items() if a.dtype == object}
    tasks = [name.removeprefix("next_") for name in texts if name.startswith("next_")]
    categories = {}
    for task in sorted(tasks):
        values, probabilities = category_tensors(task)
        categories[task] = list(zip(texts[values], outputs[probabilities].tolist(), strict=True))
    return Recommendations(
        texts[RECOMMENDED_IDS],
        texts[TITLES],
        outputs[SCORES].tolist(),
        categories,
        texts[WARNINGS],
        About.from_json(texts[ABOUT][0]),
        # Servers of earlier versions send none.
        [Explanation.from_json(text) for text in texts.get(EXPLANATIONS, [])],
    )


def explain(status: str, message: str, address: str, timeout: float | None) -> ServerError | None:
    """Return the error for a gRPC status; None if it depends on whether a Triton is there.

    Args:
        status: name of the status, such as INVALID_ARGUMENT.
        message: message of the status.
        address: address of the server.
        timeout: timeout of the call in seconds; None for none.
    """
    if status == "INVALID_ARGUMENT":
        refused = message.removeprefix(f"in ensemble '{ENSEMBLE}', ")
        if _NO_EVENTS.search(message):
            refused = (
                f"{EVENT_ATTRIBUTES}: no such tensor; this model was trained without attributes of events: "
                "leave them out"
            )
        return RefusedError(f"the server refused the request: {refused}")
    if status == "DEADLINE_EXCEEDED":
        within = "in time" if timeout is None else f"within {timeout:g} seconds"
        return NoAnswerError(f"the server at {address} gave no answer {within}")
    return None


def explain_failure(status: str, message: str, address: str, is_live: bool, encrypted: bool) -> ServerError:
    """Return the error for a gRPC status that `explain` leaves open.

    Args:
        status: name of the status.
        message: message of the status.
        address: address of the server.
        is_live: whether a Triton is there at all.
        encrypted: whether the connection uses TLS.
    """
    if is_live:
        failed = message.removeprefix(f"in ensemble '{ENSEMBLE}', ")
        return ServerError(f"the server at {address} failed ({status}): {failed}")
    hint = "start one with `m2trec serve`, or check that host and port are those of Triton's gRPC"
    if encrypted:
        hint += ", that it takes TLS, and that either side trusts the other's certificate"
    return NoAnswerError(f"no server answers at {address}: {hint}")
