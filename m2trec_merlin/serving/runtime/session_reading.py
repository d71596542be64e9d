"""The first step of the ensemble: what a request says about a session, as catalogue rows and new items."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from m2trec_merlin.encoded import NO_ITEM, EncodedItems, join_items, no_items
from m2trec_merlin.errors import M2TRecError, ServerError, shorten
from m2trec_merlin.rows import RowsOfIds
from m2trec_merlin.serving.contract.about import EXPORTED_CATALOGUE
from m2trec_merlin.serving.contract.names import EVENT_ATTRIBUTES, ITEM_ATTRIBUTES
from m2trec_merlin.serving.contract.version import ITEMS_WORKFLOW, Description
from m2trec_merlin.serving.runtime.catalogue_ids import ExportedIds
from m2trec_merlin.serving.runtime.event_reading import EventReader, ReadEvents, SaidEvent
from m2trec_merlin.serving.runtime.new_items import NewItemEncoder
from m2trec_merlin.serving.runtime.notes import bounded, name_some, show
from m2trec_merlin.serving.runtime.options.reranking import ITEM_ID, Candidate
from m2trec_merlin.serving.runtime.remembered import NewItem, RawItemEncoder, RememberedItems
from m2trec_merlin.serving.runtime.request_json import parse_json

_LONGEST_MESSAGE = 1000

# What a session says, and what that is encoded to.
Group = TypeVar("Group")
Encoded = TypeVar("Encoded")


@dataclass(frozen=True)
class ReadSession:
    """A session as the second step takes it.

    Attributes:
        positions: int64 [L], its last usable events: a catalogue row, or -1 - i for new item i.
        new_items: encoded attributes of the new items, and behind them those of candidates.
        notes: what was ignored and why.
        ids: that the request held.
        unknown_ids: of them, not in the catalogue.
        catalogue: version of it in which rows are meant.
        places: of these events in the request.
        outside: ids of the candidates among the new items.
        events: encoded attributes of these events; empty where the request or the model has none.
    """

    positions: np.ndarray
    new_items: EncodedItems
    notes: list[str]
    ids: int
    unknown_ids: int
    catalogue: str
    places: list[int]
    outside: list[str]
    events: EncodedItems = field(default_factory=dict)

    @property
    def raw_items(self) -> int:
        """Items among its events that were encoded from raw attributes."""
        return int(np.count_nonzero(self.positions < NO_ITEM))


@dataclass(frozen=True)
class _Parsed:
    positions: list[int]
    places: list[int]
    raw_items: dict[str, dict[str, Any]]
    outside: list[str]
    notes: list[str]
    ids: int
    unknown_ids: int
    said: list[SaidEvent]


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
        self._events = events
        self._catalogue = catalogue
        self._columns = list(dict.fromkeys(attribute.column for attribute in version.attributes))
        self._no_items = no_items(version.fields)
        self._new_items = RememberedItems(encoder, self._columns) if encoder else None

    @classmethod
    def load(cls, directory: Path) -> SessionReader:
        """Load a version folder of `m2trec_preprocess`, with the catalogue as it was exported.

        Raises:
            ArtifactError: its files are not what was exported.
        """
        version, rows = Description.open(directory), ExportedIds(directory).rows
        events = EventReader(directory, version) if version.events else None
        return cls(lambda: (EXPORTED_CATALOGUE, rows), version, encoder_of(directory, version), events)

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
        for name, given in ((ITEM_ATTRIBUTES, attributes), (EVENT_ATTRIBUTES, said)):
            if given is not None and len(given) != len(item_ids):
                raise ServerError(
                    f"{name} has {len(given)} positions and item_ids {len(item_ids)}: give both "
                    "one entry per position, empty where there is nothing to say"
                )
        events: list[tuple[int, int | dict[str, Any]]] = []
        notes: list[str] = []
        problems: list[str] = []
        known = 0
        for position, item_id in enumerate(item_ids):
            text = attributes[position] if attributes is not None else ""
            row = rows.row(item_id)
            if row != NO_ITEM:
                events.append((position, row))
                known += 1
            elif text:
                try:
                    events.append((position, self._parse_item(position, text, notes)))
                except ServerError as error:
                    problems.append(str(error))
            elif item_id:
                notes.append(
                    f"item_ids[{position}]: the catalogue has no item {show(item_id)} and item_attributes "
                    "says nothing about it, so it was ignored"
                )
        of_events = self._events.parse(said, notes, problems) if self._events and said and any(said) else []
        outside = self._outside(rows, candidates, notes, problems)
        if problems:
            raise ServerError(shorten("; ".join(problems), _LONGEST_MESSAGE))
        if of_events:
            # With the one before, from which it may be told how long ago the first one was.
            of_events = [of_events[place] for place, _ in events[-self.version.max_length - 1 :]]
        events = events[-self.version.max_length :]
        raw_items = {f"{ITEM_ATTRIBUTES}[{place}]": e for place, e in events if isinstance(e, dict)}
        new_rows = iter(range(-1, -1 - len(raw_items), -1))
        positions = [next(new_rows) if isinstance(event, dict) else event for _, event in events]
        raw_items |= dict(outside.values())
        places = [position for position, _ in events]
        ids = sum(1 for item_id in item_ids if item_id)
        return _Parsed(positions, places, raw_items, list(outside), notes, ids, ids - known, of_events)

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
            except ServerError as error:
                problems.append(str(error))
        return found

    def _parse_item(self, position: int, text: str, notes: list[str]) -> dict[str, Any]:
        where = f"{ITEM_ATTRIBUTES}[{position}]"
        return self._check(where, parse_json(text, where), notes)

    def _check(self, where: str, item: object, notes: list[str]) -> dict[str, Any]:
        if self._new_items is None:
            raise ServerError(f"{where}: this model knows items by their ids only, not by attributes")
        accepted = ", ".join(self._columns)
        if not isinstance(item, dict):
            raise ServerError(f"{where}: expected a JSON object with any of {accepted}")
        ignored = [key for key in item if key not in self._columns]
        if len(ignored) == len(item):
            raise ServerError(f"{where}: holds none of the attributes that the model reads ({accepted})")
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
        found = iter(_encode_or_error(self._events.encode, some) if self._events and some else [])
        return [next(found) if group else ReadEvents({}, []) for group in groups]

    def _finish(
        self,
        parsed: _Parsed,
        new_items: list[NewItem] | M2TRecError,
        events: ReadEvents | M2TRecError,
        catalogue: str,
    ) -> ReadSession | M2TRecError:
        if isinstance(events, M2TRecError):
            return ServerError(shorten(f"{EVENT_ATTRIBUTES}: {events}", _LONGEST_MESSAGE))
        if isinstance(new_items, M2TRecError):
            # Arrow quotes the value that it cannot read, however long, and gRPC carries short messages only.
            named = " or ".join(dict.fromkeys(where.partition("[")[0] for where in parsed.raw_items))
            return ServerError(shorten(f"{named}: {new_items}", _LONGEST_MESSAGE))
        notes = [
            f"{where}: {note}"
            for where, item in zip(parsed.raw_items, new_items, strict=True)
            for note in item.ignored
        ]
        encoded = join_items([item.encoded for item in new_items]) if new_items else self._no_items
        positions = np.array(parsed.positions, np.int64)
        everything = bounded([*parsed.notes, *notes, *events.notes])
        return ReadSession(
            *(positions, encoded, everything, parsed.ids, parsed.unknown_ids, catalogue),
            *(parsed.places, parsed.outside, events.encoded),
        )


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


def encoder_of(directory: Path, version: Description, in_background: bool = True) -> NewItemEncoder | None:
    """Return what encodes raw items of a version folder of `m2trec_preprocess`; None if nothing can.

    Args:
        directory: the version folder.
        version: what was exported there.
        in_background: load what that needs, see `NewItemEncoder`.
    """
    if not version.attributes:
        return None
    return NewItemEncoder(directory / ITEMS_WORKFLOW, version.attributes, in_background)
