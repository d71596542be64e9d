"""The first step of the ensemble: what a request says about a session, as catalogue rows and new items."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from m2trec_merlin.column_names import ITEM_ID
from m2trec_merlin.contract.names import EVENT_ATTRIBUTES, ITEM_ATTRIBUTES
from m2trec_merlin.contract.version import Description
from m2trec_merlin.encoded import NO_ITEM, EncodedItems, join_items, no_items
from m2trec_merlin.errors import DataError, M2TRecError, RefusedError, ServerError, shorten
from m2trec_merlin.rows import RowsOfIds
from m2trec_merlin.serving.runtime.notes import bounded, name_some, show
from m2trec_merlin.serving.runtime.options.reranking import Candidate
from m2trec_merlin.serving.runtime.reading.events import EventReader, ReadEvents, SaidEvent
from m2trec_merlin.serving.runtime.reading.remembered import NewItem, RawItemEncoder, RememberedItems
from m2trec_merlin.serving.runtime.request_json import parse_json

_LONGEST_MESSAGE = 1000

# What a session says, and what that is encoded to.
Group = TypeVar("Group")
Encoded = TypeVar("Encoded")


@dataclass(frozen=True)
class ReadSession:
    """A session as the second step takes it.

    Attributes:
        rows: int64 [L], its last usable events: a catalogue row, or -1 - i for new item i.
        new_items: encoded attributes of the new items, and behind them those of candidates.
        notes: what was ignored and why.
        ids: that the request held.
        unknown_ids: of them, not in the catalogue.
        catalogue: version of it in which rows are meant.
        places: of these events in the request.
        outside: of the candidates among the new items, by id, the values by which items are filtered.
        events: encoded attributes of these events; empty where the request or the model has none.
    """

    rows: np.ndarray
    new_items: EncodedItems
    notes: list[str]
    ids: int
    unknown_ids: int
    catalogue: str
    places: list[int]
    outside: dict[str, dict[str, Any]]
    events: EncodedItems = field(default_factory=dict)

    @property
    def raw_items(self) -> int:
        """Items among its events that were encoded from raw attributes."""
        return int(np.count_nonzero(self.rows < NO_ITEM))


@dataclass(frozen=True)
class _Event:
    """An event that can be used.

    Attributes:
        place: of it in the request.
        row: of the catalogue; NO_ITEM for an item that the catalogue does not have.
        raw: attributes of that item, by column.
    """

    place: int
    row: int = NO_ITEM
    raw: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _Parsed:
    """A session whose raw items are still to be encoded.

    Attributes:
        events: the last ones, as many as the model takes.
        outside: of each candidate that has to be encoded, by its id, where it stands and its attributes.
        notes: what was ignored and why.
        ids: that the request held.
        unknown_ids: of them, not in the catalogue.
        said: attributes of these events and of the one before them; empty where nothing is said of any.
    """

    events: list[_Event]
    outside: dict[str, tuple[str, dict[str, Any]]]
    notes: list[str]
    ids: int
    unknown_ids: int
    said: list[SaidEvent]

    @cached_property
    def raw_items(self) -> dict[str, dict[str, Any]]:
        """What is to be encoded, by where it stands: items of events, and behind them candidates."""
        items = {f"{ITEM_ATTRIBUTES}[{each.place}]": each.raw for each in self.events if each.row == NO_ITEM}
        return {**items, **dict(self.outside.values())}

    @property
    def rows(self) -> np.ndarray:
        """Rows of the events, int64 [L]; -1 - i for raw item i."""
        rows = np.array([each.row for each in self.events], np.int64)
        new = rows == NO_ITEM
        return np.where(new, -np.cumsum(new), rows)


class SessionReader:
    """Looks ids up and encodes raw attributes.

    Args:
        catalogue: returns the version of the catalogue that is served now, and the rows of its ids.
        version: what was exported.
        encoder: for items outside of the catalogue; None if the version has no attributes for them.
        events: reads attributes of events; None if the version has none.
    """

    def __init__(
        self,
        catalogue: Callable[[], tuple[str, RowsOfIds]],
        version: Description,
        encoder: RawItemEncoder | None,
        events: EventReader | None = None,
    ) -> None:
        self.version = version
        self._said = events
        self._catalogue = catalogue
        self._columns = list(dict.fromkeys(attribute.column for attribute in version.attributes))
        self._no_items = no_items(version.fields)
        self._new_items = RememberedItems(encoder, self._columns) if encoder else None

    def read(
        self,
        sessions: Sequence[tuple[Sequence[str], Sequence[str] | None]],
        candidates: Sequence[Sequence[Candidate]] | None = None,
        events: Sequence[Sequence[str] | None] | None = None,
    ) -> list[ReadSession | M2TRecError]:
        """Read sessions in one version of the catalogue; a faulty one gets its error and spoils no other.

        Args:
            sessions: per session the item ids (empty where the position has attributes only) and, if
                any, one JSON object of raw attributes per position (or empty).
            candidates: per session those that may be recommended, as the option `candidates` has them.
            events: per session, if any, one JSON object of attributes of the event per position (or empty).
        """
        number, rows = self._catalogue()
        count = len(sessions)
        asked = zip(sessions, candidates or [()] * count, events or [None] * count, strict=True)
        parsed = [self._parse_or_error(rows, *session, each, said) for session, each, said in asked]
        good = [each for each in parsed if isinstance(each, _Parsed)]
        encoded = iter(self._encode([list(each.raw_items.values()) for each in good]))
        of_events = iter(self._encode_events([each.said for each in good]))
        return [
            self._finish(p, next(encoded), next(of_events), number) if isinstance(p, _Parsed) else p
            for p in parsed
        ]

    def _parse_or_error(
        self,
        rows: RowsOfIds,
        item_ids: Sequence[str],
        attributes: Sequence[str] | None,
        candidates: Sequence[Candidate],
        said: Sequence[str] | None,
    ) -> _Parsed | M2TRecError:
        try:
            return self._parse(rows, item_ids, attributes, candidates, said)
        except M2TRecError as error:
            return error

    def _parse(
        self,
        rows: RowsOfIds,
        item_ids: Sequence[str],
        attributes: Sequence[str] | None,
        candidates: Sequence[Candidate],
        said: Sequence[str] | None,
    ) -> _Parsed:
        _require_one_each(item_ids, attributes, said)
        notes: list[str] = []
        problems: list[str] = []
        events = self._events_of(rows, item_ids, attributes, notes, problems)
        told = self._said.parse(said, notes, problems) if self._said and said and any(said) else []
        outside = self._outside(rows, candidates, notes, problems)
        if problems:
            raise RefusedError(shorten("; ".join(problems), _LONGEST_MESSAGE))
        most = self.version.max_length
        if told:
            # With the one before, from which it may be told how long ago the first one was.
            told = [told[event.place] for event in events[-most - 1 :]]
        ids = sum(1 for item_id in item_ids if item_id)
        unknown = ids - sum(1 for event in events if event.row != NO_ITEM)
        return _Parsed(events[-most:], outside, notes, ids, unknown, told)

    def _events_of(
        self,
        rows: RowsOfIds,
        item_ids: Sequence[str],
        attributes: Sequence[str] | None,
        notes: list[str],
        problems: list[str],
    ) -> list[_Event]:
        """Return the events that can be used: of known items, and of others that are described."""
        events = []
        for place, item_id in enumerate(item_ids):
            text = attributes[place] if attributes is not None else ""
            row = rows.row(item_id)
            if row != NO_ITEM:
                events.append(_Event(place, row))
            elif text:
                where = f"{ITEM_ATTRIBUTES}[{place}]"
                try:
                    events.append(_Event(place, raw=self._check(where, parse_json(text, where), notes)))
                except RefusedError as error:
                    problems.append(str(error))
            elif item_id:
                notes.append(
                    f"item_ids[{place}]: the catalogue has no item {show(item_id)} and item_attributes "
                    "says nothing about it, so it was ignored"
                )
        return events

    def _outside(
        self, rows: RowsOfIds, candidates: Sequence[Candidate], notes: list[str], problems: list[str]
    ) -> dict[str, tuple[str, dict[str, Any]]]:
        """Return of each candidate that has to be encoded, by its id, where it stands and its attributes."""
        found: dict[str, tuple[str, dict[str, Any]]] = {}
        for place, candidate in enumerate(candidates):
            if isinstance(candidate, str) or candidate.keys() == {ITEM_ID}:
                continue
            where, item_id = f"options.candidates[{place}]", candidate[ITEM_ID]
            if rows.row(item_id) != NO_ITEM:
                continue
            if item_id in found:
                notes.append(f"{where}: ignored, since {show(item_id)} was listed before")
                continue
            item = {name: value for name, value in candidate.items() if name != ITEM_ID}
            try:
                found[item_id] = where, self._check(where, item, notes)
            except RefusedError as error:
                problems.append(str(error))
        return found

    def _check(self, where: str, item: object, notes: list[str]) -> dict[str, Any]:
        if self._new_items is None:
            raise RefusedError(f"{where}: this model needs the id of each item, not its attributes")
        accepted = ", ".join(self._columns)
        if not isinstance(item, dict):
            raise RefusedError(f"{where}: expected a JSON object with any of {accepted}")
        ignored = [key for key in item if key not in self._columns]
        if len(ignored) == len(item):
            raise RefusedError(f"{where}: holds none of the attributes that the model reads ({accepted})")
        if ignored:
            notes.append(f"{where}: ignored {name_some(ignored)}; the model reads {accepted}")
        return item

    def _encode(self, groups: list[list[dict[str, Any]]]) -> list[list[NewItem] | M2TRecError]:
        if self._new_items is None or not any(groups):
            return [[] for _ in groups]
        encode = self._new_items.encode

        def grouped(groups: list[list[dict[str, Any]]]) -> list[list[NewItem]]:
            encoded = iter(encode([item for group in groups for item in group]))
            return [[next(encoded) for _ in group] for group in groups]

        return _encode_or_error(grouped, groups)

    def _encode_events(self, groups: list[list[SaidEvent]]) -> list[ReadEvents | M2TRecError]:
        some = [group for group in groups if group]
        found = iter(_encode_or_error(self._said.encode, some) if self._said and some else [])
        return [next(found) if group else ReadEvents({}, []) for group in groups]

    def _finish(
        self,
        parsed: _Parsed,
        new_items: list[NewItem] | M2TRecError,
        events: ReadEvents | M2TRecError,
        catalogue: str,
    ) -> ReadSession | M2TRecError:
        if isinstance(events, M2TRecError):
            return _told_where(EVENT_ATTRIBUTES, events)
        if isinstance(new_items, M2TRecError):
            named = " or ".join(dict.fromkeys(where.partition("[")[0] for where in parsed.raw_items))
            return _told_where(named, new_items)
        notes = [
            f"{where}: {note}"
            for where, item in zip(parsed.raw_items, new_items, strict=True)
            for note in item.ignored
        ]
        values = [item.values for item in new_items]
        return ReadSession(
            rows=parsed.rows,
            new_items=join_items([item.encoded for item in new_items]) if new_items else self._no_items,
            notes=bounded([*parsed.notes, *notes, *events.notes]),
            ids=parsed.ids,
            unknown_ids=parsed.unknown_ids,
            catalogue=catalogue,
            places=[event.place for event in parsed.events],
            outside=dict(zip(parsed.outside, values[len(values) - len(parsed.outside) :], strict=True)),
            events=events.encoded,
        )


def _require_one_each(
    item_ids: Sequence[str], attributes: Sequence[str] | None, said: Sequence[str] | None
) -> None:
    for name, given in ((ITEM_ATTRIBUTES, attributes), (EVENT_ATTRIBUTES, said)):
        if given is not None and len(given) != len(item_ids):
            raise RefusedError(
                f"{name} has {len(given)} positions and item_ids {len(item_ids)}: give both "
                "one entry per position, empty where there is nothing to say"
            )


def _told_where(where: str, error: M2TRecError) -> ServerError:
    """Return an error of encoding in one line: values that are at fault are refused."""
    said = f"{error.source}: {'; '.join(error.problems)}" if isinstance(error, DataError) else str(error)
    kind = RefusedError if isinstance(error, DataError | RefusedError) else ServerError
    # Arrow quotes the value that it cannot read, however long, and gRPC carries short messages only.
    return kind(shorten(f"{where}: {said}", _LONGEST_MESSAGE))


def _encode_or_error(
    encode: Callable[[list[Group]], Sequence[Encoded]], groups: list[Group]
) -> list[Encoded | M2TRecError]:
    """Encode all groups in one pass, which costs hardly more than one; if that fails, find out whose."""
    try:
        return [*encode(groups)]
    except M2TRecError as error:
        if len(groups) == 1:
            return [error]
    return [part for group in groups for part in _encode_or_error(encode, [group])]
