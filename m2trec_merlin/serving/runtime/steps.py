"""The two steps of the ensemble as Triton calls them: named arrays in, named arrays or an error out.

The code in `triton_models/` only moves tensors between Triton and these classes. Every array has a leading
dimension of 1, since a request is one session; Triton batches requests, and a step answers a batch together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from m2trec_merlin.errors import M2TRecError, ServerError
from m2trec_merlin.serving.contract.names import (
    ITEM_ATTRIBUTES,
    ITEM_IDS,
    NOTES,
    OPTIONS,
    POSITIONS,
    RECOMMENDED_IDS,
    SCORES,
    TITLES,
    WARNINGS,
    category_tensors,
)
from m2trec_merlin.serving.runtime.options import parse_options
from m2trec_merlin.serving.runtime.recommending import Answer, Recommender, Request
from m2trec_merlin.serving.runtime.session_reading import ReadSession, SessionReader

Tensors = dict[str, np.ndarray]
Parsed = TypeVar("Parsed")


class PreprocessStep:
    """`m2trec_preprocess`: ids and raw attributes to catalogue rows and encoded new items."""

    def __init__(self, directory: Path) -> None:
        self._reader = SessionReader.load(directory)

    def answer(self, requests: Sequence[Mapping[str, np.ndarray]]) -> list[Tensors | M2TRecError]:
        """Answer a batch; a faulty request gets its error and spoils no other."""
        return _answer_good(requests, _parse_session, self._read)

    def _read(self, sessions: list[Any]) -> list[Tensors | M2TRecError]:
        return [
            _session_tensors(read) if isinstance(read, ReadSession) else read
            for read in self._reader.read(sessions)
        ]


class PredictStep:
    """`m2trec_predict`: catalogue rows and encoded new items to recommendations."""

    def __init__(self, directory: Path) -> None:
        self._recommender = Recommender(directory)

    def answer(self, requests: Sequence[Mapping[str, np.ndarray]]) -> list[Tensors | M2TRecError]:
        """Answer a batch; a faulty request gets its error and spoils no other."""
        return _answer_good(requests, self._parse, self._recommend)

    def _parse(self, inputs: Mapping[str, np.ndarray]) -> Request:
        arrays = {name: _one_session(name, array) for name, array in inputs.items()}
        notes = _texts(NOTES, arrays.pop(NOTES))
        texts = _texts(OPTIONS, arrays.pop(OPTIONS, np.empty(0, object)))
        if len(texts) > 1:
            raise ServerError(f"options: expected one JSON object for the request, found {len(texts)}")
        options = parse_options("".join(texts), self._recommender.top_k, self._recommender.new_item_boost)
        allowed = self._recommender.items.mask(options.filters, notes)
        return Request(arrays.pop(POSITIONS), arrays, options, allowed, notes)

    def _recommend(self, requests: list[Request]) -> list[Tensors | M2TRecError]:
        return [_answer_tensors(answer) for answer in self._recommender.recommend(requests)]


def _answer_good(
    requests: Sequence[Mapping[str, np.ndarray]],
    parse: Callable[[Mapping[str, np.ndarray]], Parsed],
    answer: Callable[[list[Parsed]], list[Tensors | M2TRecError]],
) -> list[Tensors | M2TRecError]:
    """Parse each request by itself, answer those without an error together, keep the order."""
    parsed: dict[int, Parsed] = {}
    results: dict[int, Tensors | M2TRecError] = {}
    for index, request in enumerate(requests):
        try:
            parsed[index] = parse(request)
        except M2TRecError as error:
            results[index] = error
    if parsed:
        results.update(zip(parsed, answer(list(parsed.values())), strict=True))
    return [results[index] for index in range(len(requests))]


def _parse_session(inputs: Mapping[str, np.ndarray]) -> tuple[list[str], list[str] | None]:
    texts = {name: _texts(name, _one_session(name, array)) for name, array in inputs.items()}
    return texts[ITEM_IDS], texts.get(ITEM_ATTRIBUTES)


def _session_tensors(session: ReadSession) -> Tensors:
    arrays = {**session.new_items, POSITIONS: session.positions, NOTES: _bytes(session.notes)}
    return {name: array[np.newaxis] for name, array in arrays.items()}


def _answer_tensors(answer: Answer) -> Tensors:
    arrays = {
        RECOMMENDED_IDS: _bytes(answer.item_ids),
        TITLES: _bytes(answer.titles),
        SCORES: answer.scores,
        WARNINGS: _bytes(answer.warnings),
    }
    for attribute, (names, probabilities) in answer.categories.items():
        values, shares = category_tensors(attribute)
        arrays[values], arrays[shares] = _bytes(names), probabilities
    return {name: array[np.newaxis] for name, array in arrays.items()}


def _one_session(name: str, array: np.ndarray) -> np.ndarray:
    """Take the leading dimension off."""
    if array.shape[0] != 1:
        raise ServerError(
            f"{name}: expected shape [1, ...], found {list(array.shape)}: send one session per request; "
            "Triton answers requests that arrive together in one batch"
        )
    session: np.ndarray = array[0]
    return session


def _texts(name: str, array: np.ndarray) -> list[str]:
    try:
        return [entry.decode() if isinstance(entry, bytes) else str(entry) for entry in array]
    except UnicodeDecodeError:
        raise ServerError(f"{name}: not valid UTF-8") from None


def _bytes(texts: list[str]) -> np.ndarray:
    return np.array([text.encode() for text in texts], dtype=object)
