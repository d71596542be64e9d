"""Attributes of events in requests, encoded exactly as preprocessing encoded the interactions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from m2trec_merlin.contract.names import EVENT_ATTRIBUTES
from m2trec_merlin.contract.version import EVENTS_WORKFLOW, Description
from m2trec_merlin.derived import DERIVED, is_derived
from m2trec_merlin.encoded import EncodedColumn, EncodedItems
from m2trec_merlin.errors import RefusedError
from m2trec_merlin.serving.runtime.notes import name_some, show
from m2trec_merlin.serving.runtime.reading.cached_items import CACHE_BYTES, CachedItemEncoder
from m2trec_merlin.serving.runtime.reading.new_items import NewItemEncoder
from m2trec_merlin.serving.runtime.request_json import parse_json

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class RawEvent:
    """An event of a session with its raw attributes.

    Attributes:
        place: position of the event in the request.
        said: raw attributes by column; empty if the request gives none.
    """

    place: int
    said: dict[str, Any]

    @property
    def where(self) -> str:
        """Name of the event in messages."""
        return f"{EVENT_ATTRIBUTES}[{self.place}]"


@dataclass(frozen=True)
class ReadEvents:
    """Events as the second step takes them.

    Attributes:
        encoded: encoded attributes of the events.
        notes: warnings on what was ignored, and on values that training did not have.
    """

    encoded: EncodedItems
    notes: list[str]


class EventReader:
    """Parses and encodes attributes of events.

    Args:
        directory: version folder of `m2trec_preprocess`.
        version: description of the export, which has attributes of events.
        in_background: whether to load the workflow in a thread, see `NewItemEncoder`.
    """

    def __init__(self, directory: Path, version: Description, in_background: bool = False) -> None:
        self._attributes, self._time = version.events, version.time
        self._most = version.max_length
        # One encoder per attribute, so that nearly all values are found in its cache: NVTabular is slow. The
        # workflow has the names of attributes for its columns.
        folder, named = directory / EVENTS_WORKFLOW, [replace(a, column=a.field.name) for a in version.events]
        most = CACHE_BYTES // len(named)
        self._encoders = {
            a.column: CachedItemEncoder(
                NewItemEncoder(folder, [a], in_background, of_events=True), [a.column], most
            )
            for a in named
        }
        columns = [a.column for a in version.events if not is_derived(a.column)]
        self._columns = list(dict.fromkeys([*columns, *([version.time["column"]] if version.time else [])]))

    def parse(self, texts: Sequence[str], notes: list[str], problems: list[str]) -> list[RawEvent]:
        """Parse the attributes of each event, a JSON object or "".

        Args:
            texts: texts of the request, one per event.
            notes: list that warnings are added to.
            problems: list that errors are added to.
        """
        events = [RawEvent(place, {}) for place in range(len(texts))]
        accepted = ", ".join(self._columns)
        for place, text in enumerate(texts):
            if not text:
                continue
            where = events[place].where
            try:
                said = parse_json(text, where)
            except RefusedError as error:
                problems.append(str(error))
                continue
            if not isinstance(said, dict):
                problems.append(f"{where}: expected a JSON object with any of {accepted}")
                continue
            if ignored := [key for key in said if key not in self._columns]:
                notes.append(f"{where}: ignored {name_some(ignored)}; the model reads {accepted}")
            events[place] = RawEvent(place, said)
        return events

    def encode(self, sessions: Sequence[Sequence[RawEvent]]) -> list[ReadEvents]:
        """Encode the last events of sessions, none of them empty, in one pass.

        Args:
            sessions: usable events of each session: those that the model takes, preceded by at least one
                earlier event, if any, as attributes may be derived from the time since it.

        Raises:
            M2TRecError: a value cannot be encoded.
        """
        notes: list[list[str]] = [[] for _ in sessions]
        values = [session[-self._most :] for session in self._values(sessions, notes)]
        together = [value for session in values for value in session]
        columns = {
            name: encoder.encode([{name: value[name]} for value in together])
            for name, encoder in self._encoders.items()
        }
        found, start = [], 0
        for session, own, kept in zip(sessions, notes, values, strict=True):
            stop = start + len(kept)
            items = {name: column[start:stop] for name, column in columns.items()}
            for number, event in enumerate(session[-self._most :]):
                for column in items.values():
                    own += [f"{event.where}: {note}" for note in column[number].ignored]
            encoded = {
                name: EncodedColumn.join([item.encoded[name] for item in own_items])
                for name, own_items in items.items()
            }
            found.append(ReadEvents(encoded, own))
            start = stop
        return found

    def _values(
        self, sessions: Sequence[Sequence[RawEvent]], notes: Sequence[list[str]]
    ) -> list[list[dict[str, Any]]]:
        """Return the raw values of each event by attribute name."""
        derived = self._derived(sessions, notes) if self._time else {}
        values, number = [], 0
        for session in sessions:
            own = []
            for event in session:
                own.append(
                    {
                        a.field.name: derived[a.column][number]
                        if a.column in derived
                        else event.said.get(a.column)
                        for a in self._attributes
                    }
                )
                number += 1
            values.append(own)
        return values

    def _derived(
        self, sessions: Sequence[Sequence[RawEvent]], notes: Sequence[list[str]]
    ) -> dict[str, list[Any]]:
        """Return the derived columns of all events."""
        import pandas as pd

        from m2trec_merlin.readers.times import parse_timestamps

        column, time_format = self._time["column"], self._time["format"]
        said = [event.said.get(column) for session in sessions for event in session]
        # Pandas would read other types as times, too.
        single = [v if isinstance(v, str | int | float) and not isinstance(v, bool) else None for v in said]
        times = parse_timestamps(pd.Series(single, dtype=object), time_format)
        unread = iter(times.isna().to_numpy() & np.array([value is not None for value in said], bool))
        for session, own in zip(sessions, notes, strict=True):
            own += [
                f"{event.where}: {column} {show(event.said[column])} is not a time ({time_format}), so it "
                "counts as missing"
                for event in session
                if next(unread)
            ]
        first = np.zeros(len(said), bool)
        lengths = np.array([len(session) for session in sessions])
        first[np.cumsum(lengths) - lengths] = True
        wanted = {a.column for a in self._attributes if is_derived(a.column)}
        return {name: _plain(DERIVED[name](times, first)) for name in sorted(wanted)}


def _plain(column: pd.Series) -> list[Any]:
    return [None if missing else value for value, missing in zip(column.tolist(), column.isna(), strict=True)]
