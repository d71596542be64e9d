"""Answering requests together although some of them may be faulty."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from m2trec_merlin.errors import M2TRecError

Asked = TypeVar("Asked")
Parsed = TypeVar("Parsed")
Answered = TypeVar("Answered")


def answer_good(
    requests: Sequence[Asked],
    parse: Callable[[Asked], Parsed],
    answer: Callable[[list[Parsed]], list[Answered | M2TRecError]],
) -> list[Answered | M2TRecError]:
    """Parse each request by itself, answer those without an error together, and keep their order."""
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
