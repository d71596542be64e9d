"""The first step as Triton calls it: from the tensors of a request to those of the second step."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from m2trec_merlin.contract.identity import export_version, repository_of
from m2trec_merlin.contract.metrics import IDS, RAW_ITEMS, UNKNOWN_IDS
from m2trec_merlin.contract.names import (
    EVENT_ATTRIBUTES,
    ITEM_ATTRIBUTES,
    ITEM_IDS,
    OPTIONS,
    PREPROCESS,
)
from m2trec_merlin.contract.version import Description
from m2trec_merlin.errors import M2TRecError, RefusedError
from m2trec_merlin.serving.runtime.bounds import LONGEST_REQUEST_ID, require_short_session, require_small
from m2trec_merlin.serving.runtime.catalogue.exported_ids import ExportedIds
from m2trec_merlin.serving.runtime.catalogue.live_versions import LiveVersions
from m2trec_merlin.serving.runtime.faults import answer_good
from m2trec_merlin.serving.runtime.options import check_options, needs_of
from m2trec_merlin.serving.runtime.options.identity import RequestId
from m2trec_merlin.serving.runtime.options.reranking import Candidates, ids_of
from m2trec_merlin.serving.runtime.reading.events import EventReader
from m2trec_merlin.serving.runtime.reading.new_items import NewItemEncoder
from m2trec_merlin.serving.runtime.reading.parsing import RawSession
from m2trec_merlin.serving.runtime.reading.sessions import ReadSession, SessionReader
from m2trec_merlin.serving.runtime.requests import Request
from m2trec_merlin.serving.runtime.steps.batches import Tensors, session_tensors
from m2trec_merlin.serving.runtime.steps.handover import as_arrays, hand_over
from m2trec_merlin.serving.runtime.tally import StepTally, Tally


@dataclass(frozen=True)
class _Asked:
    """A parsed request: its id, its session, checked options."""

    request_id: str
    session: RawSession
    options: dict[str, Any]


class PreprocessStep:
    """`m2trec_preprocess`: from ids, raw attributes and options to the tensors of `handover.py`.

    Args:
        directory: version folder of the step.
        tally: counts of the process, if needed.
        in_background: whether to load the workflow (see `NewItemEncoder`), and to look for new catalogue
            versions, in threads.

    Attributes:
        reader: the reader of sessions.
    """

    name = PREPROCESS

    def __init__(self, directory: Path, tally: Tally | None = None, in_background: bool = False) -> None:
        repository, version = repository_of(directory), Description.open(directory)
        self.model = export_version(repository)
        ids = ExportedIds(directory)
        self._ids = LiveVersions(repository, self.model, ids.rows, ids.changed, in_background)
        encoder = NewItemEncoder.of(directory, version, in_background)
        events = EventReader(directory, version, in_background) if version.events else None
        self.reader = SessionReader(self._ids.served, version, encoder, events)
        self.tally = StepTally(tally or Tally(), self.name, self.model)

    def close(self) -> None:
        """Stop watching the catalogue."""
        self._ids.close()

    def answer(
        self, requests: Sequence[Mapping[str, np.ndarray]], request_ids: Sequence[str] | None = None
    ) -> list[Tensors | M2TRecError]:
        """Answer a batch; a faulty request gets an error and does not affect the others.

        Args:
            requests: tensors of each request.
            request_ids: ids of the requests in Triton; "" for a request without one.
        """
        version = self.reader.version
        return [
            as_arrays(hand_over(each, version)) if isinstance(each, Request) else each
            for each in self.read(requests, request_ids)
        ]

    def read(
        self, requests: Sequence[Mapping[str, np.ndarray]], request_ids: Sequence[str] | None = None
    ) -> list[Request | M2TRecError]:
        """Do the same as `answer`, but return requests as the second step in the same process takes them."""
        named = list(zip(requests, request_ids or [""] * len(requests), strict=True))
        return answer_good(named, self._parse, self._read)

    def _parse(self, request: tuple[Mapping[str, np.ndarray], str]) -> _Asked:
        inputs, request_id = request
        if len(request_id) > LONGEST_REQUEST_ID:
            raise RefusedError(
                f"the id of the request has {len(request_id):,} letters; at most "
                f"{LONGEST_REQUEST_ID} are read"
            )
        of_events = (EVENT_ATTRIBUTES,) if self.reader.version.events else ()
        optional = (ITEM_ATTRIBUTES, *of_events, OPTIONS)
        tensors = session_tensors(inputs, required=(ITEM_IDS,), optional=optional)
        require_small(tensors)
        texts = {name: _texts(name, array) for name, array in tensors.items()}
        require_short_session(texts[ITEM_IDS])
        options = texts.get(OPTIONS, [])
        if len(options) > 1:
            raise RefusedError(f"options: expected one JSON object for the request, found {len(options)}")
        # Checked before anything is looked up or encoded, which costs more.
        checked = check_options("".join(options), self.reader.version)
        request_id = checked[RequestId.name] or request_id or uuid.uuid4().hex
        candidates = checked[Candidates.name] or ()
        said = texts[ITEM_IDS], texts.get(ITEM_ATTRIBUTES), candidates, texts.get(EVENT_ATTRIBUTES)
        return _Asked(request_id, RawSession(*said), checked)

    def _read(self, asked: list[_Asked]) -> list[Request | M2TRecError]:
        sessions = self.reader.read([each.session for each in asked])
        good = [session for session in sessions if isinstance(session, ReadSession)]
        self.tally.count(IDS, sum(session.ids for session in good))
        self.tally.count(UNKNOWN_IDS, sum(session.unknown_ids for session in good))
        self.tally.count(RAW_ITEMS, sum(session.raw_items for session in good))
        return [
            _request(each, read) if isinstance(read, ReadSession) else read
            for read, each in zip(sessions, asked, strict=True)
        ]


def _request(asked: _Asked, read: ReadSession) -> Request:
    options, candidates, needs = asked.options, asked.options[Candidates.name], needs_of(asked.options)
    if candidates is not None:
        # The attributes of candidates are encoded by now, and only ids are needed.
        options = {**options, Candidates.name: ids_of(candidates)}
    return Request(
        rows=read.rows,
        new_items=read.new_items,
        options=options,
        notes=read.notes,
        request_id=asked.request_id,
        catalogue=read.catalogue,
        outside=read.outside,
        places=read.places if "places" in needs else [],
        held=[each for each in asked.session.item_ids if each] if "held" in needs else [],
        events=read.events,
    )


def _texts(name: str, array: np.ndarray) -> list[str]:
    try:
        return [entry.decode() if isinstance(entry, bytes) else str(entry) for entry in array]
    except UnicodeDecodeError:
        raise RefusedError(f"{name}: not valid UTF-8") from None
