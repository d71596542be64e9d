"""The first step of the ensemble: from the session of a request to catalogue rows and new items."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import numpy as np

from m2trec_merlin.contract.names import EVENT_ATTRIBUTES
from m2trec_merlin.contract.version import Description
from m2trec_merlin.encoded import NO_ITEM, EncodedItems, join_items, no_items
from m2trec_merlin.errors import DataError, M2TRecError, RefusedError, ServerError, shorten
from m2trec_merlin.rows import RowsOfIds
from m2trec_merlin.serving.runtime.faults import answer_good
from m2trec_merlin.serving.runtime.notes import LONGEST_MESSAGE, bounded
from m2trec_merlin.serving.runtime.reading.cached_items import CachedItemEncoder, NewItem, RawItemEncoder
from m2trec_merlin.serving.runtime.reading.events import EventReader, RawEvent, ReadEvents
from m2trec_merlin.serving.runtime.reading.parsing import ParsedSession, RawSession, SessionParser

# The part of a session to encode, and its encoded form.
Group = TypeVar("Group")
Encoded = TypeVar("Encoded")


@dataclass(frozen=True)
class ReadSession:
    """A session as the second step takes it.

    Attributes:
        rows: int64 [L], the last usable events: a catalogue row, or -1 - i for new item i.
        new_items: encoded attributes of the new items, followed by those of described candidates.
        notes: warnings on what was ignored, and why.
        ids: number of ids in the request.
        unknown_ids: number of these ids that are not in the catalogue.
        catalogue: name of the catalogue version that the rows refer to, see `LiveVersions`.
        places: positions of these events in the request.
        outside: values to filter by of described candidates, by id.
        events: encoded attributes of these events; empty if the request or the model has none.
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
        """Number of events whose item was encoded from raw attributes."""
        return int(np.count_nonzero(self.rows < NO_ITEM))


class SessionReader:
    """Looks up ids and encodes raw attributes.

    Args:
        catalogue: function that returns the name of the served catalogue version and the rows of its ids.
        version: description of the export.
        encoder: encoder of items outside of the catalogue; None if the model needs item ids.
        events: reader of attributes of events; None if the model reads none.
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
        columns = list(dict.fromkeys(attribute.column for attribute in version.attributes))
        self._no_items = no_items(version.fields)
        self._new_items = CachedItemEncoder(encoder, columns) if encoder else None
        self._parser = SessionParser(columns if encoder else [], version.max_length, events)

    def read(self, sessions: Sequence[RawSession]) -> list[ReadSession | M2TRecError]:
        """Read sessions with one version of the catalogue; a faulty one gets an error, the others go on."""
        catalogue, rows = self._catalogue()

        def encoded(parsed: list[ParsedSession]) -> list[ReadSession | M2TRecError]:
            items = self._encode([list(each.raw_items.values()) for each in parsed])
            events = self._encode_events([each.said for each in parsed])
            return [
                self._finish(each, of_items, of_events, catalogue)
                for each, of_items, of_events in zip(parsed, items, events, strict=True)
            ]

        return answer_good(sessions, partial(self._parser.parse, rows), encoded)

    def _encode(self, groups: list[list[dict[str, Any]]]) -> list[list[NewItem] | M2TRecError]:
        if self._new_items is None or not any(groups):
            return [[] for _ in groups]
        encode = self._new_items.encode

        def grouped(groups: list[list[dict[str, Any]]]) -> list[list[NewItem]]:
            encoded = iter(encode([item for group in groups for item in group]))
            return [[next(encoded) for _ in group] for group in groups]

        return _encode_or_error(grouped, groups)

    def _encode_events(self, groups: list[list[RawEvent]]) -> list[ReadEvents | M2TRecError]:
        some = [group for group in groups if group]
        found = iter(_encode_or_error(self._said.encode, some) if self._said and some else [])
        return [next(found) if group else ReadEvents({}, []) for group in groups]

    def _finish(
        self,
        parsed: ParsedSession,
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


def _told_where(where: str, error: M2TRecError) -> ServerError:
    """Return an error of encoding in one line; for faulty values it is a RefusedError."""
    said = f"{error.source}: {'; '.join(error.problems)}" if isinstance(error, DataError) else str(error)
    kind = RefusedError if isinstance(error, DataError | RefusedError) else ServerError
    # Arrow quotes the value that it cannot read, however long, but gRPC only carries short messages.
    return kind(shorten(f"{where}: {said}", LONGEST_MESSAGE))


def _encode_or_error(
    encode: Callable[[list[Group]], Sequence[Encoded]], groups: list[Group]
) -> list[Encoded | M2TRecError]:
    """Encode all groups in one pass, which costs hardly more than one group; on an error, one by one."""
    try:
        return [*encode(groups)]
    except M2TRecError as error:
        if len(groups) == 1:
            return [error]
    return [part for group in groups for part in _encode_or_error(encode, [group])]
