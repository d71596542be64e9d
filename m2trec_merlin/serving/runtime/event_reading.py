"""What requests say of events, encoded exactly as preprocessing encoded the interactions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from m2trec_merlin.encoded import OUT_OF_VOCABULARY, EncodedItems, join_items
from m2trec_merlin.errors import ServerError
from m2trec_merlin.serving.contract.names import EVENT_ATTRIBUTES
from m2trec_merlin.serving.contract.version import EVENTS_WORKFLOW, Description
from m2trec_merlin.serving.runtime.new_items import NewItemEncoder
from m2trec_merlin.serving.runtime.notes import name_some, show
from m2trec_merlin.serving.runtime.remembered import NewItem, RememberedItems
from m2trec_merlin.serving.runtime.request_json import parse_json

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class SaidEvent:
    """An event of a session.

    Attributes:
        place: of it in the request.
        said: its raw attributes by column; none where the request says nothing.
    """

    place: int
    said: dict[str, Any]

    @property
    def where(self) -> str:
        """How messages call it."""
        return f"{EVENT_ATTRIBUTES}[{self.place}]"


@dataclass(frozen=True)
class ReadEvents:
    """Events as the second step takes them.

    Attributes:
        encoded: their attributes.
        notes: what was ignored, and which values training did not know.
    """

    encoded: EncodedItems
    notes: list[str]


class EventReader:
    """Reads attributes of events.

    Args:
        directory: a version folder of `m2trec_preprocess`.
        version: what was exported there, with attributes of events.
        in_background: load what they need, see `NewItemEncoder`.
    """

    def __init__(self, directory: Path, version: Description, in_background: bool = True) -> None:
        self._attributes, self._time = version.events, version.time
        self._most = version.max_length
        # The workflow knows columns by the names of their attributes.
        named = [replace(attribute, column=attribute.field.name) for attribute in version.events]
        encoder = NewItemEncoder(directory / EVENTS_WORKFLOW, named, in_background, of_events=True)
        self._encoder = RememberedItems(encoder, [attribute.column for attribute in named])
        columns = [a.column for a in version.events if not _is_derived(a.column)]
        self._columns = list(dict.fromkeys([*columns, *([version.time["column"]] if version.time else [])]))

    def parse(self, texts: Sequence[str], notes: list[str], problems: list[str]) -> list[SaidEvent]:
        """Read a JSON object or nothing for each event.

        Args:
            texts: of the request.
            notes: take what is ignored.
            problems: take what cannot be read.
        """
        events = [SaidEvent(place, {}) for place in range(len(texts))]
        accepted = ", ".join(self._columns)
        for place, text in enumerate(texts):
            if not text:
                continue
            where = events[place].where
            try:
                said = parse_json(text, where)
            except ServerError as error:
                problems.append(str(error))
                continue
            if not isinstance(said, dict):
                problems.append(f"{where}: expected a JSON object with any of {accepted}")
                continue
            if ignored := [key for key in said if key not in self._columns]:
                notes.append(f"{where}: ignored {name_some(ignored)}; the model reads {accepted}")
            events[place] = SaidEvent(place, said)
        return events

    def encode(self, sessions: Sequence[Sequence[SaidEvent]]) -> list[ReadEvents]:
        """Encode the last events of sessions, none of them empty, in one pass.

        Args:
            sessions: their usable events; of those before the last ones at least one, if there is any.

        Raises:
            M2TRecError: a value cannot be encoded.
        """
        notes: list[list[str]] = [[] for _ in sessions]
        values = self._values(sessions, notes)
        kept = [
            (of_session[-self._most :], session[-self._most :])
            for of_session, session in zip(values, sessions, strict=True)
        ]
        encoded = iter(self._encoder.encode([value for each, _ in kept for value in each]))
        found = []
        for (of_session, session), own in zip(kept, notes, strict=True):
            items = [next(encoded) for _ in of_session]
            for event, value, item in zip(session, of_session, items, strict=True):
                own += [f"{event.where}: {note}" for note in [*item.ignored, *self._unseen(value, item)]]
            found.append(ReadEvents(join_items([item.encoded for item in items]), own))
        return found

    def _values(
        self, sessions: Sequence[Sequence[SaidEvent]], notes: Sequence[list[str]]
    ) -> list[list[dict[str, Any]]]:
        """Return the raw values of each event by the names of their attributes."""
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
        self, sessions: Sequence[Sequence[SaidEvent]], notes: Sequence[list[str]]
    ) -> dict[str, list[Any]]:
        """Return the derived columns of all events."""
        import pandas as pd

        from m2trec_merlin.readers.derived import DERIVED
        from m2trec_merlin.readers.times import parse_timestamps

        column, time_format = self._time["column"], self._time["format"]
        said = [event.said.get(column) for session in sessions for event in session]
        times = parse_timestamps(pd.Series(said, dtype=object), time_format)
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
        wanted = {a.column for a in self._attributes if _is_derived(a.column)}
        return {name: _plain(DERIVED[name](times, first)) for name in sorted(wanted)}

    def _unseen(self, value: dict[str, Any], item: NewItem) -> list[str]:
        return [
            f"{a.column} {show(value[a.field.name])} was not met in training: it counts as any unseen value"
            for a in self._attributes
            if a.field.layout.has_vocabulary
            and (item.encoded[a.field.name].values == OUT_OF_VOCABULARY).any()
        ]


def _plain(column: pd.Series) -> list[Any]:
    return [None if missing else value for value, missing in zip(column.tolist(), column.isna(), strict=True)]


def _is_derived(column: str) -> bool:
    # As `readers.derived` has it, which takes pandas to import.
    return column.startswith("@")
