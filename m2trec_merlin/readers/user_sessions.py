"""Cut the events of each user into sessions, wherever there is a long pause.

The id of a session is USER@START, with the time of its first event. It does not depend on other rows of the
table, on their order or on the size of chunks. Ids are unique: a user has only one session that starts at a
given time, and times contain no "@".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pandas as pd
from pydantic import Field, field_validator

from m2trec_merlin.arrays import run_starts
from m2trec_merlin.column_names import SESSION_ID, TIMESTAMP
from m2trec_merlin.errors import DataError
from m2trec_merlin.ids import numbered
from m2trec_merlin.readers.canonical import normalise_ids
from m2trec_merlin.readers.grouping import cut_sessions
from m2trec_merlin.readers.problems import ProblemLog
from m2trec_merlin.readers.rounded import IDS
from m2trec_merlin.readers.source import Origin
from m2trec_merlin.readers.times import parse_timestamps
from m2trec_merlin.sections import Name, Section
from m2trec_merlin.shares import percent

_SECONDS = {"s": 1, "min": 60, "h": 3600, "day": 86_400, "days": 86_400}
#: An id with more than this share of all events, and this many times the mean per id, may be that of several
#: users.
_OF_ALL, _TIMES_THE_MEAN = 0.05, 10
_DURATION = re.compile(rf"(\d{{1,9}}(?:\.\d{{1,6}})?)\s*({'|'.join(_SECONDS)})")


class UserSessions(Section):
    """Sessions cut from a column of users and the times in `columns.order`."""

    user: Name = Field(description="column of the interactions that names the user")
    gap: str = Field(
        "30 min",
        description="a longer pause begins a new session: a number and s, min, h or day(s), as in '1 h'",
    )

    @field_validator("gap", mode="before")
    @classmethod
    def _gap_is_a_duration(cls, gap: object) -> object:
        found = _DURATION.fullmatch(gap.strip()) if isinstance(gap, str) else None
        if found is None or not float(found[1]):
            raise ValueError(
                "expected a number above 0 and one of s, min, h, day, days, as in '30 min', '1 h' or '900 s'"
            )
        return gap

    @property
    def longest_pause(self) -> np.timedelta64:
        """The longest pause within a session, in microseconds."""
        found = _DURATION.fullmatch(self.gap.strip())
        assert found is not None
        return np.timedelta64(round(float(found[1]) * _SECONDS[found[2]] * 1e6), "us")

    def cut(
        self, users: Iterable[pd.DataFrame], time_format: str, chunk_sessions: int
    ) -> Iterator[pd.DataFrame]:
        """Yield chunks of whole sessions, each user's sessions in order of time.

        Rows that the validation has to report are kept: events whose time cannot be read come last for their
        user, and users without an id stay without.

        Args:
            users: chunks of whole users, each user's events adjacent; session_id holds the user.
            time_format: the format of `timestamp`; see `parse_timestamps`.
            chunk_sessions: the most sessions per chunk.
        """
        for chunk in users:
            yield from cut_sessions(_sessions_of(chunk, time_format, self.longest_pause), chunk_sessions)


def with_all_digits(users: Iterable[pd.DataFrame], origin: Origin) -> Iterator[pd.DataFrame]:
    """Yield chunks of whole users unchanged; the names of their sessions will not tell rounded ids.

    Raises:
        DataError: after the last chunk, if ids of users may have lost digits.
    """
    log = ProblemLog(origin)
    for chunk in users:
        ids = chunk[SESSION_ID]
        log.add_rows(SESSION_ID, IDS.what, ids, IDS.of(ids), IDS.hint)
        yield chunk
    if problems := log.messages():
        raise DataError(origin.label, problems)


class BusiestId:
    """Finds the user or session with the most events, whose id many guests may share: theirs are mixed."""

    def __init__(self) -> None:
        self._name: object = None
        self._most = self._events = self._ids = 0

    def among(self, groups: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        """Yield chunks of whole users, or whole sessions, unchanged; count the adjacent events of each."""
        for chunk in groups:
            ids = chunk[SESSION_ID].dropna().to_numpy()
            first = run_starts(ids)
            sizes = np.diff(first, append=len(ids))
            if len(sizes) and sizes.max() > self._most:
                self._name, self._most = ids[first[sizes.argmax()]], int(sizes.max())
            self._events, self._ids = self._events + len(ids), self._ids + len(sizes)
            yield chunk

    def doubt(self, column: str) -> str:
        """Return a warning about an id that several may share; empty if there is none.

        Args:
            column: the name of the ids' column in the source.
        """
        if not may_be_many(self._most, self._events, self._ids):
            return ""
        return (
            f"{percent(self._most, self._events)} of the events have '{self._name}' in column '{column}': if "
            "guests share it, leave these out, or give each guest another, as their sessions are mixed"
        )


def may_be_many(most: int, events: int, ids: int) -> bool:
    """Tell whether an id with `most` of all events, among so many ids, may be that of several users."""
    return most > max(_OF_ALL * events, _TIMES_THE_MEAN * events / max(ids, 1))


def _sessions_of(events: pd.DataFrame, time_format: str, gap: np.timedelta64) -> pd.DataFrame:
    """Return the events of whole users in order of time, with the ids of their sessions in session_id."""
    times = parse_timestamps(events[TIMESTAMP], time_format).to_numpy()
    users = normalise_ids(events[SESSION_ID])
    user, _ = numbered(users)
    order = np.lexsort([np.arange(len(events)), times, user])  # NaT is above all times
    events, users, user, times = events.iloc[order], users.iloc[order], user[order], times[order]
    with_pause = np.append(True, (user[1:] != user[:-1]) | (times[1:] - times[:-1] > gap))
    starts = np.flatnonzero(with_pause)
    names = [
        None if user is None else user if pd.isna(start) else f"{user}@{_readable(start)}"
        for user, start in zip(_texts(users.iloc[starts]), times[starts], strict=True)
    ]
    sessions = np.array(names, object)[np.cumsum(with_pause) - 1]
    return events.assign(**{SESSION_ID: sessions})


def _texts(ids: pd.Series) -> list[Any]:
    return ids.astype(object).map(str, na_action="ignore").where(ids.notna(), None).tolist()


def _readable(time: np.datetime64) -> str:
    return str(time).removesuffix(".000000")
