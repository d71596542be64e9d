"""Times of events that can be read, and are hardly what was meant."""

from __future__ import annotations

import datetime

import numpy as np
import pandas as pd

from m2trec_merlin.arrays import run_starts
from m2trec_merlin.readers.times import DAYS, ISO_8601, UNIX_UNITS, have_offsets
from m2trec_merlin.shares import percent

#: Seconds that are taken for milliseconds are of January 1970, days and months without a year of 1900.
_UNLIKELY_BEFORE = pd.Timestamp("1990-01-01")
#: Clocks and time zones differ by less.
_AHEAD = pd.Timedelta(days=1)
#: A visit is shorter, and a few carts that stand for longer are no reason to ask.
_LONG, _NOTABLE = np.timedelta64(7, "D"), 0.05
#: Share of times that are written otherwise than the others from which on this is told.
_MIXED = 0.01
#: Rows that are earlier than one above them, for each that is later, in a file that runs backwards.
_BACKWARDS, _FEW = 10, 20
_NOTHING = np.timedelta64(0, "us")
#: Values of a chunk that are looked at as they are written.
_READ = 10_000
#: Of a clock with 12 hours: its hours, and times by which one of 24 would have shown others.
_HALF, _ENOUGH = slice(1, 13), 500


def doubt_of_unit(latest: pd.Timestamp, time_format: str, setting: str) -> str:
    """Say that times are all too early to be meant so; nothing if one is not, or none is known.

    Args:
        latest: of the times.
        time_format: by which they were read; days since any day say nothing of the year.
        setting: that it is from.
    """
    if time_format in (ISO_8601, DAYS) or not pd.Timestamp.min < latest < _UNLIKELY_BEFORE:
        return ""
    early = f"all times are before {_UNLIKELY_BEFORE:%Y}, the last one {latest}"
    return f"{early}: is {setting} '{time_format}' right?"


class TimeChecks:
    """Counts odd times, chunk by chunk.

    Args:
        time_format: by which they were read; see `readers.times.parse_instants`.
    """

    def __init__(self, time_format: str) -> None:
        self._time_format = time_format
        self._earliest, self._latest = pd.Timestamp.max, pd.Timestamp.min
        now = pd.Timestamp(datetime.datetime.now(datetime.timezone.utc)).tz_localize(None)
        # Days since any day say nothing of the year.
        ever = pd.Timestamp.min, pd.Timestamp.max
        self._likely_from, self._to_come = ever if time_format == DAYS else (_UNLIKELY_BEFORE, now + _AHEAD)
        self._times = self._odd = self._sessions = self._long = 0
        self._midnights = self._within_hours = self._tied = self._later = self._earlier = 0
        self._example: pd.Timestamp | None = None
        #: Of those looked at as they are written: without an offset, and with one. And times by their hour.
        self._offsets, self._hours = np.zeros(2, np.int64), np.zeros(24, np.int64)

    def look_at(self, written: pd.Series) -> None:
        """Take some times as the source writes them."""
        texts = written.iloc[:_READ].dropna()
        if self._time_format == ISO_8601 and pd.api.types.infer_dtype(texts) == "string":
            has_offset = have_offsets(texts.astype(str))
            self._offsets += np.array([(~has_offset).sum(), has_offset.sum()])

    def add(self, times: pd.Series, sessions: np.ndarray) -> None:
        """Take the times of some whole sessions.

        Args:
            times: of events, by the row of the source; NaT where one could not be read.
            sessions: int64 [E], equal within a session, whose events lie side by side.
        """
        known = times.notna().to_numpy()
        times, sessions = times[known], sessions[known]
        if times.empty:
            return
        self._earliest, self._latest = min(self._earliest, times.min()), max(self._latest, times.max())
        odd = ((times < self._likely_from) | (times > self._to_come)).to_numpy()
        self._times, self._odd = self._times + len(times), self._odd + int(odd.sum())
        if odd.any():
            self._example = self._example or times[odd].iloc[0]
            times, sessions = times[~odd], sessions[~odd]
        self._count_long(times.to_numpy(), sessions)
        self._count_order(times, sessions)

    def _count_order(self, times: pd.Series, sessions: np.ndarray) -> None:
        """Count what tells in which order events of one time are: where they stand in the file."""
        found = times.to_numpy()
        steps, is_below = np.diff(found), np.diff(times.index.to_numpy()) > 0
        self._tied += int(((steps == _NOTHING) & (sessions[1:] == sessions[:-1])).sum())
        moves = steps != _NOTHING
        self._later += int((moves & ((steps > _NOTHING) == is_below)).sum())
        self._earlier += int((moves & ((steps > _NOTHING) != is_below)).sum())
        self._midnights += int((found.astype("datetime64[D]") == found).sum())
        self._hours += np.bincount(found.astype("datetime64[h]").astype(np.int64) % 24, minlength=24)
        self._within_hours += int((found.astype("datetime64[h]") != found).sum())

    def _count_long(self, times: np.ndarray, sessions: np.ndarray) -> None:
        if not len(times):
            return
        starts = run_starts(sessions)
        spans = np.maximum.reduceat(times, starts) - np.minimum.reduceat(times, starts)
        self._sessions, self._long = self._sessions + len(starts), self._long + int((spans > _LONG).sum())

    def notices(self, session_column: str) -> list[str]:
        """Return what is no error, but hardly meant so.

        Args:
            session_column: as the source calls it.
        """
        found, is_unix = [], self._time_format in UNIX_UNITS
        if doubt := doubt_of_unit(self._latest, self._time_format, "time_format"):
            found.append(doubt)
        if self._times and self._earliest > self._to_come:
            found.append(f"all times are still to come, the first one {self._earliest}: are they right?")
        if 0 < self._odd < self._times:
            found.append(
                f"{self._odd:,} of {self._times:,} times are before {_UNLIKELY_BEFORE:%Y} or still to come, "
                f"such as {self._example}: "
                + ("are they in another unit?" if is_unix else "do they stand for none?")
            )
        if self._offsets.min() > _MIXED * self._offsets.sum():
            found.append(
                f"{percent(self._offsets[1] / self._offsets.sum())} of the times say how far they are from "
                "UTC, and the others, which are taken for UTC, do not: write all of them alike"
            )
        if self._hours.sum() == self._hours[_HALF].sum() > _ENOUGH and self._hours[_HALF].all():
            found.append(
                "no time is before 1 or after 13 o'clock: are these hours of half a day, of which a format "
                "with %I and %p tells which (AM or PM)?"
            )
        if self._long > _NOTABLE * self._sessions:
            found.append(
                f"{self._long:,} of {self._sessions:,} sessions last longer than {_LONG.astype(int)} days: "
                f"does '{session_column}' name users, or are its values used again? data.sessions cuts "
                "sessions from users and times"
            )
        clocks = self._times - self._odd - self._midnights
        if self._midnights > _NOTABLE * self._times and self._within_hours > clocks / 2 > 0:
            found.append(
                f"{self._midnights:,} of {self._times:,} times are midnights: are these days without a time? "
                "They come before all other events of their day"
            )
        if self._tied > _NOTABLE * self._times and self._earlier > _BACKWARDS * self._later + _FEW:
            found.append(
                f"the latest events come first in the file, and {self._tied:,} of {self._times:,} have the "
                "time of another one in their session: these stay in the order of the file, probably the "
                "wrong way round: turn it around"
            )
        return found
