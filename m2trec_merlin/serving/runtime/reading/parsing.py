"""Parsing of sessions into events of known and of described items, before anything is encoded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from m2trec_merlin.column_names import ITEM_ID
from m2trec_merlin.contract.names import EVENT_ATTRIBUTES, ITEM_ATTRIBUTES, ITEM_IDS
from m2trec_merlin.encoded import NO_ITEM
from m2trec_merlin.errors import RefusedError, shorten
from m2trec_merlin.rows import RowsOfIds
from m2trec_merlin.serving.runtime.notes import LONGEST_MESSAGE, name_some, show
from m2trec_merlin.serving.runtime.options.reranking import Candidate
from m2trec_merlin.serving.runtime.reading.cached_items import key_of
from m2trec_merlin.serving.runtime.reading.events import EventReader, RawEvent
from m2trec_merlin.serving.runtime.request_json import parse_json


@dataclass(frozen=True)
class RawSession:
    """A session as in a request; attributes are texts of JSON objects, or "".

    Attributes:
        item_ids: item id per position, "" where there are only attributes.
        attributes: attributes of the item per position; None if the request has none.
        candidates: the only items that may be recommended, as in the option `candidates`.
        events: attributes of the event per position; None if the request has none.
    """

    item_ids: Sequence[str]
    attributes: Sequence[str] | None = None
    candidates: Sequence[Candidate] = ()
    events: Sequence[str] | None = None


@dataclass(frozen=True)
class Event:
    """An event of a known or a described item.

    Attributes:
        place: position of the event in the request.
        row: catalogue row of the item; NO_ITEM for a described item that the catalogue does not have.
        raw: raw attributes of the described item, by column.
        item: key that events of the same described item share: its id, if any, and what the model reads.
    """

    place: int
    row: int = NO_ITEM
    raw: dict[str, Any] = field(default_factory=dict)
    item: tuple[str, str] = ("", "")


@dataclass(frozen=True)
class ParsedSession:
    """A session whose raw items are still to be encoded.

    Attributes:
        events: the last events, as many as the model takes.
        outside: candidates that have to be encoded, by id: place in the request, and raw attributes.
        notes: warnings on what was ignored, and why.
        ids: number of ids in the request.
        unknown_ids: number of these ids that are not in the catalogue.
        said: these events and the one before them, with their attributes; empty if none are given.
    """

    events: list[Event]
    outside: dict[str, tuple[str, dict[str, Any]]]
    notes: list[str]
    ids: int
    unknown_ids: int
    said: list[RawEvent]

    @cached_property
    def _new(self) -> dict[tuple[str, str], Event]:
        """The first event of each described item, in the order of the session."""
        found: dict[tuple[str, str], Event] = {}
        for event in self.events:
            if event.row == NO_ITEM:
                found.setdefault(event.item, event)
        return found

    @cached_property
    def raw_items(self) -> dict[str, dict[str, Any]]:
        """Raw items to encode, by place in the request: items of events, then candidates."""
        items = {f"{ITEM_ATTRIBUTES}[{each.place}]": each.raw for each in self._new.values()}
        return {**items, **dict(self.outside.values())}

    @property
    def rows(self) -> np.ndarray:
        """Catalogue rows of the events, int64 [L]; -1 - i for each event of raw item i."""
        number = {item: -1 - place for place, item in enumerate(self._new)}
        rows = (each.row if each.row != NO_ITEM else number[each.item] for each in self.events)
        return np.fromiter(rows, np.int64, len(self.events))


@dataclass(frozen=True)
class _Remarks:
    """Warnings and errors about a session, collected so that all errors are reported at once."""

    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @contextmanager
    def of_problems(self) -> Iterator[None]:
        """Collect the error if the block refuses something."""
        try:
            yield
        except RefusedError as error:
            self.problems.append(str(error))

    def require_no_problem(self) -> None:
        if self.problems:
            raise RefusedError(shorten("; ".join(self.problems), LONGEST_MESSAGE))


class SessionParser:
    """Looks up ids, and checks the form of everything else.

    Args:
        columns: raw columns that items are encoded from; none if the model needs item ids.
        max_length: number of events that the model takes of a session.
        said: reader of attributes of events; None if the model reads none.
    """

    def __init__(self, columns: Sequence[str], max_length: int, said: EventReader | None) -> None:
        self._columns, self._most, self._said = columns, max_length, said

    def parse(self, rows: RowsOfIds, session: RawSession) -> ParsedSession:
        """Parse a session with the ids of one version of the catalogue.

        Raises:
            RefusedError: something in the session is wrong; the message lists all errors.
        """
        _require_one_each(session)
        remarks, said = _Remarks(), session.events
        events = self._events_of(rows, session, remarks)
        told: list[RawEvent] = []
        if self._said and said and any(said):
            told = self._said.parse(said, remarks.notes, remarks.problems)
        outside = self._outside(rows, session.candidates, remarks)
        remarks.require_no_problem()
        if told:
            # With the event before them, which attributes derived from times may need.
            told = [told[event.place] for event in events[-self._most - 1 :]]
        ids = sum(1 for item_id in session.item_ids if item_id)
        unknown = ids - sum(1 for event in events if event.row != NO_ITEM)
        return ParsedSession(events[-self._most :], outside, remarks.notes, ids, unknown, told)

    def _events_of(self, rows: RowsOfIds, session: RawSession, remarks: _Remarks) -> list[Event]:
        """Return the events that can be used: those of known items and of described ones."""
        events = []
        said = session.events or [""] * len(session.item_ids)
        for place, item_id in enumerate(session.item_ids):
            text = session.attributes[place] if session.attributes is not None else ""
            row = rows.row(item_id)
            if row != NO_ITEM:
                events.append(Event(place, row))
            elif text:
                where = f"{ITEM_ATTRIBUTES}[{place}]"
                with remarks.of_problems():
                    raw = self._check(where, parse_json(text, where), remarks)
                    events.append(Event(place, raw=raw, item=(item_id, key_of(raw, self._columns))))
            elif item_id:
                remarks.notes.append(
                    f"{ITEM_IDS}[{place}]: the catalogue has no item {show(item_id)} and item_attributes "
                    "says nothing about it, so it was ignored"
                )
            elif said[place]:
                remarks.notes.append(f"{EVENT_ATTRIBUTES}[{place}]: ignored, since there is no item")
        return events

    def _outside(
        self, rows: RowsOfIds, candidates: Sequence[Candidate], remarks: _Remarks
    ) -> dict[str, tuple[str, dict[str, Any]]]:
        """Return the place in the request and the attributes of each candidate to encode, by its id."""
        found: dict[str, tuple[str, dict[str, Any]]] = {}
        for place, candidate in enumerate(candidates):
            if isinstance(candidate, str) or candidate.keys() == {ITEM_ID}:
                continue
            where, item_id = f"options.candidates[{place}]", candidate[ITEM_ID]
            if rows.row(item_id) != NO_ITEM:
                continue
            if item_id in found:
                remarks.notes.append(f"{where}: ignored, since {show(item_id)} was listed before")
                continue
            item = {name: value for name, value in candidate.items() if name != ITEM_ID}
            with remarks.of_problems():
                found[item_id] = where, self._check(where, item, remarks)
        return found

    def _check(self, where: str, item: object, remarks: _Remarks) -> dict[str, Any]:
        if not self._columns:
            raise RefusedError(f"{where}: this model needs the id of each item, not its attributes")
        accepted = ", ".join(self._columns)
        if not isinstance(item, dict):
            raise RefusedError(f"{where}: expected a JSON object with any of {accepted}")
        ignored = [key for key in item if key not in self._columns]
        if len(ignored) == len(item):
            raise RefusedError(f"{where}: holds none of the attributes that the model reads ({accepted})")
        if ignored:
            remarks.notes.append(f"{where}: ignored {name_some(ignored)}; the model reads {accepted}")
        return item


def _require_one_each(session: RawSession) -> None:
    for name, given in ((ITEM_ATTRIBUTES, session.attributes), (EVENT_ATTRIBUTES, session.events)):
        if given is not None and len(given) != len(session.item_ids):
            raise RefusedError(
                f"{name} has {len(given)} positions and {ITEM_IDS} {len(session.item_ids)}: give both "
                "one entry per position, empty where there is nothing to say"
            )
