"""The two steps of the ensemble as Triton calls them: named arrays in, named arrays or an error out.

The code in `triton_models/` only moves tensors between Triton and these classes. Every array has a leading
dimension of 1, since a request is one session; Triton batches requests, and a step answers a batch together.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from m2trec_merlin.errors import M2TRecError, RefusedError
from m2trec_merlin.serving.contract.identity import export_version, repository_of
from m2trec_merlin.serving.contract.metrics import (
    EMPTY,
    FALLBACKS,
    IDS,
    RAW_ITEMS,
    RECOMMENDED,
    RECOMMENDED_NEW,
    UNKNOWN_IDS,
)
from m2trec_merlin.serving.contract.names import (
    ABOUT,
    EVENT_ATTRIBUTES,
    EXPLANATIONS,
    ITEM_ATTRIBUTES,
    ITEM_IDS,
    OPTIONS,
    PREDICT,
    PREPROCESS,
    RECOMMENDED_IDS,
    SCORES,
    TITLES,
    WARNINGS,
    category_tensors,
)
from m2trec_merlin.serving.contract.version import Description
from m2trec_merlin.serving.runtime.bounds import (
    LONGEST_REQUEST_ID,
    require_short_session,
    require_small,
)
from m2trec_merlin.serving.runtime.catalogue_ids import ExportedIds
from m2trec_merlin.serving.runtime.event_reading import EventReader
from m2trec_merlin.serving.runtime.handover import (
    as_arrays,
    hand_over,
    one_session,
    take_over,
    tensors_of,
)
from m2trec_merlin.serving.runtime.live_versions import LiveVersions
from m2trec_merlin.serving.runtime.new_items import NewItemEncoder
from m2trec_merlin.serving.runtime.notes import cut
from m2trec_merlin.serving.runtime.options import check_options
from m2trec_merlin.serving.runtime.options.exclusions import ExcludeSessionItems
from m2trec_merlin.serving.runtime.options.explaining import Explain
from m2trec_merlin.serving.runtime.options.reranking import Candidates, ids_of
from m2trec_merlin.serving.runtime.recommending import Answer, Recommender, Request
from m2trec_merlin.serving.runtime.session_reading import ReadSession, SessionReader
from m2trec_merlin.serving.runtime.tally import StepTally, Tally

Tensors = dict[str, np.ndarray]
Asked = TypeVar("Asked")
Parsed = TypeVar("Parsed")
Answered = TypeVar("Answered")


@dataclass(frozen=True)
class _Asked:
    """A request as the first step takes it: its id, item ids, raw attributes if any, checked options.

    Raw attributes of the items, and of the events.
    """

    request_id: str
    item_ids: list[str]
    attributes: list[str] | None
    options: dict[str, Any]
    events: list[str] | None = None


class PreprocessStep:
    """`m2trec_preprocess`: ids, raw attributes, options to what `handover` says.

    Args:
        directory: a version folder.
        tally: where it counts; nowhere if there is none.
        in_background: load what raw items need in a thread, as a server does; see `NewItemEncoder`.
    """

    name = PREPROCESS

    def __init__(self, directory: Path, tally: Tally | None = None, in_background: bool = False) -> None:
        repository, version = repository_of(directory), Description.open(directory)
        self.model = export_version(repository)
        ids = ExportedIds(directory)
        self._ids = LiveVersions(repository, self.model, ids.rows, ids.changed, in_background)
        encoder = NewItemEncoder.of(directory, version, in_background)
        events = EventReader(directory, version, in_background) if version.events else None
        self._reader = SessionReader(self._ids.served, version, encoder, events)
        self.tally = StepTally(tally or Tally(), self.name, self.model)

    @property
    def reader(self) -> SessionReader:
        """What it reads sessions with."""
        return self._reader

    def close(self) -> None:
        """Watch the catalogue no longer."""
        self._ids.close()

    def answer(
        self, requests: Sequence[Mapping[str, np.ndarray]], request_ids: Sequence[str] | None = None
    ) -> list[Tensors | M2TRecError]:
        """Answer a batch; a faulty request gets its error and spoils no other.

        Args:
            requests: their tensors.
            request_ids: as Triton was told them; empty for those that have none.
        """
        version = self._reader.version
        return [
            as_arrays(hand_over(each, version)) if isinstance(each, Request) else each
            for each in self.read(requests, request_ids)
        ]

    def read(
        self, requests: Sequence[Mapping[str, np.ndarray]], request_ids: Sequence[str] | None = None
    ) -> list[Request | M2TRecError]:
        """Return what `answer` hands over, as the second step in the same process takes it."""
        named = list(zip(requests, request_ids or [""] * len(requests), strict=True))
        return _answer_good(named, self._parse, self._read)

    def _parse(self, request: tuple[Mapping[str, np.ndarray], str]) -> _Asked:
        inputs, request_id = request
        if len(request_id) > LONGEST_REQUEST_ID:
            raise RefusedError(
                f"the id of the request has {len(request_id):,} letters; at most "
                f"{LONGEST_REQUEST_ID} are read"
            )
        of_events = (EVENT_ATTRIBUTES,) if self._reader.version.events else ()
        optional = (ITEM_ATTRIBUTES, *of_events, OPTIONS)
        tensors = _sessions(inputs, required=(ITEM_IDS,), optional=optional)
        require_small(tensors)
        texts = {name: _texts(name, array) for name, array in tensors.items()}
        require_short_session(texts[ITEM_IDS])
        options = texts.get(OPTIONS, [])
        if len(options) > 1:
            raise RefusedError(f"options: expected one JSON object for the request, found {len(options)}")
        # Before anything is looked up or encoded.
        checked = check_options("".join(options), self._reader.version)
        request_id = checked["request_id"] or request_id or uuid.uuid4().hex
        said = texts.get(ITEM_ATTRIBUTES), checked, texts.get(EVENT_ATTRIBUTES)
        return _Asked(request_id, texts[ITEM_IDS], *said)

    def _read(self, asked: list[_Asked]) -> list[Request | M2TRecError]:
        candidates = [each.options[Candidates.name] or () for each in asked]
        both = [(each.item_ids, each.attributes) for each in asked]
        sessions = self._reader.read(both, candidates, [each.events for each in asked])
        good = [session for session in sessions if isinstance(session, ReadSession)]
        self.tally.count(IDS, sum(session.ids for session in good))
        self.tally.count(UNKNOWN_IDS, sum(session.unknown_ids for session in good))
        self.tally.count(RAW_ITEMS, sum(session.raw_items for session in good))
        return [
            _request(each, read) if isinstance(read, ReadSession) else read
            for read, each in zip(sessions, asked, strict=True)
        ]


class PredictStep:
    """`m2trec_predict`: catalogue rows, encoded new items and checked options to recommendations.

    Args:
        directory: a version folder.
        tally: where it counts; nowhere if there is none.
        in_background: look in a thread for versions of the catalogue, as a server does.
    """

    name = PREDICT

    def __init__(self, directory: Path, tally: Tally | None = None, in_background: bool = False) -> None:
        self._recommender = Recommender(directory, in_background)
        self.model = self._recommender.model
        tally = tally or Tally()
        self.tally = StepTally(tally, self.name, self.model)
        self._told = ""
        tally.ask(self._tell_catalogue)

    def close(self) -> None:
        """Watch the catalogue no longer."""
        self._recommender.catalogues.close()

    @property
    def recommender(self) -> Recommender:
        """What it recommends with."""
        return self._recommender

    def answer(
        self, requests: Sequence[Mapping[str, np.ndarray]], request_ids: Sequence[str] | None = None
    ) -> list[Tensors | M2TRecError]:
        """Answer a batch; a faulty request gets its error and spoils no other.

        Args:
            requests: their tensors, which say how the requests are called, too.
            request_ids: as Triton was told them; the first step has read them.
        """
        return _answer_good(requests, self._parse, self.recommend)

    def _parse(self, inputs: Mapping[str, np.ndarray]) -> Request:
        tensors = _sessions(inputs, required=tensors_of(self._recommender.version))
        return take_over(tensors, self._recommender.version, self._rows_of)

    def _rows_of(self, catalogue: str) -> int:
        return self._recommender.catalogues.get(catalogue).n_rows

    def _tell_catalogue(self) -> None:
        """Let metrics say which catalogue would answer now, whether anybody asks or not."""
        number = self._recommender.catalogues.current
        if number != self._told:
            self._told, catalogue = number, self._recommender.catalogues.get(number)
            self.tally.catalogue(f"{self.model}/{number}", catalogue.count, catalogue.written)

    def recommend(self, requests: list[Request]) -> list[Tensors | M2TRecError]:
        """Answer what the first step has read; see `PreprocessStep.read`."""
        answers = self._recommender.recommend(requests)
        for metric, amount in (
            (FALLBACKS, sum(answer.is_fallback for answer in answers)),
            (EMPTY, sum(not answer.item_ids for answer in answers)),
            (RECOMMENDED, sum(len(answer.item_ids) for answer in answers)),
            (RECOMMENDED_NEW, sum(answer.new_items for answer in answers)),
        ):
            self.tally.count(metric, amount)
        return [_answer_tensors(answer) for answer in answers]


def answer_by_both(
    first: PreprocessStep, second: PredictStep, requests: Sequence[Mapping[str, np.ndarray]]
) -> list[Tensors | M2TRecError]:
    """Answer a batch by one step after the other in this process, as the ensemble does."""
    read = first.read(requests)
    answers = iter(second.recommend([each for each in read if isinstance(each, Request)]))
    return [next(answers) if isinstance(each, Request) else each for each in read]


def _request(asked: _Asked, read: ReadSession) -> Request:
    options, candidates = asked.options, asked.options[Candidates.name]
    if candidates is not None:
        # Their attributes have been read.
        options = {**options, Candidates.name: ids_of(candidates)}
    return Request(
        rows=read.rows,
        new_items=read.new_items,
        options=options,
        notes=read.notes,
        request_id=asked.request_id,
        catalogue=read.catalogue,
        outside=read.outside,
        places=read.places if options[Explain.name] else [],
        held=[each for each in asked.item_ids if each] if options[ExcludeSessionItems.name] else [],
        events=read.events,
    )


def _answer_good(
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


def _answer_tensors(answer: Answer) -> Tensors:
    arrays = {
        RECOMMENDED_IDS: _bytes(answer.item_ids),
        TITLES: _bytes(answer.titles),
        SCORES: answer.scores,
        WARNINGS: _bytes(answer.warnings),
        ABOUT: _bytes([answer.about.to_json()]),
        EXPLANATIONS: _bytes([each.to_json() for each in answer.explanations]),
    }
    for attribute, (names, probabilities) in answer.categories.items():
        values, shares = category_tensors(attribute)
        arrays[values], arrays[shares] = _bytes(names), probabilities
    return as_arrays(arrays)


def _sessions(
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


def _texts(name: str, array: np.ndarray) -> list[str]:
    try:
        return [entry.decode() if isinstance(entry, bytes) else str(entry) for entry in array]
    except UnicodeDecodeError:
        raise RefusedError(f"{name}: not valid UTF-8") from None


def _bytes(texts: list[str]) -> np.ndarray:
    return np.array([text.encode() for text in texts], dtype=object)
