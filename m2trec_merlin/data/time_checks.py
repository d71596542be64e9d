"""Find times of events that can be read, but are probably wrong."""

from __future__ import annotations

import datetime

import numpy as np
import pandas as pd

from m2trec_merlin.arrays import run_starts
from m2trec_merlin.readers.times import DAYS, ISO_8601, UNIX_UNITS, have_offsets
from m2trec_merlin.shares import percent

#: Earlier times are suspicious: seconds read as milliseconds are in January 1970, days without year in 1900.
_UNLIKELY_BEFORE = pd.Timestamp("1990-01-01")
#: Times may be this far in the future, as clocks and time zones differ by less.
_AHEAD = pd.Timedelta(days=1)
#: Sessions that last longer are suspicious, but only above this share: a few carts stay for long.
_LONG, _NOTABLE = np.timedelta64(7, "D"), 0.05
#: Share of times in another notation above which this is reported.
_MIXED = 0.01
#: A file runs backwards if it has so many times more steps back than forth, plus a few.
_BACKWARDS, _FEW = 10, 20
#: Share of events with the time of the one before from which on a session has one time.
_OF_BASKETS = 0.75
_NOTHING = np.timedelta64(0, "us")
#: Values of a chunk whose notation is examined.
_READ = 10_000
#: The hours of a 12-hour clock, and the number of times by which a 24-hour clock would have shown others.
_HALF, _ENOUGH = slice(1, 13), 500


def doubt_of_unit(latest: pd.Timestamp, time_format: str, setting: str) -> str:
    """Return a warning if all times are implausibly early, which points to a wrong unit; else "".

    Args:
        latest: the latest time; NaT if none is known.
        time_format: the format of the times; days, which count from any day, are never suspicious.
        setting: name of the setting of the format.
    """
    if time_format in (ISO_8601, DAYS) or not pd.Timestamp.min < latest < _UNLIKELY_BEFORE:
        return ""
    early = f"all times are before {_UNLIKELY_BEFORE:%Y}, the last one {latest}"
    return f"{early}: is {setting} '{time_format}' right?"


def still_to_come() -> pd.Timestamp:
    """Return the time after which a time is still to come, whatever clock and time zone it is from; UTC."""
    return pd.Timestamp(datetime.datetime.now(datetime.timezone.utc)).tz_localize(None) + _AHEAD


class TimeChecks:
    """A counter of suspicious times, chunk by chunk.

    Args:
        time_format: the format of the times; see `readers.times.parse_instants`.
    """

    def __init__(self, time_format: str) -> None:
        self._time_format = time_format
        self._earliest, self._latest = pd.Timestamp.max, pd.Timestamp.min
        # Days that count from any day do not tell the year.
        ever = pd.Timestamp.min, pd.Timestamp.max
        self._likely_from, self._to_come = (
            ever if time_format == DAYS else (_UNLIKELY_BEFORE, still_to_come())
        )
        self._times = self._odd = self._sessions = self._long = 0
        self._midnights = self._within_hours = self._tied = self._later = self._earlier = 0
        self._example: pd.Timestamp | None = None
        #: Numbers of examined times without and with an offset; numbers of times by hour.
        self._offsets, self._hours = np.zeros(2, np.int64), np.zeros(24, np.int64)

    def look_at(self, written: pd.Series) -> None:
        """Add times in the notation of the source."""
        texts = written.iloc[:_READ].dropna()
        if self._time_format == ISO_8601 and pd.api.types.infer_dtype(texts) == "string":
            has_offset = have_offsets(texts.astype(str))
            self._offsets += np.array([(~has_offset).sum(), has_offset.sum()])

    def add(self, times: pd.Series, sessions: np.ndarray) -> None:
        """Add the times of whole sessions.

        Args:
            times: times of events, indexed by the row of the source; NaT if it could not be read.
            sessions: number of each event's session, int64 [E]; a session's events are adjacent.
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
        """Count ties within sessions, and whether later rows of the file are later or earlier in time."""
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

    @property
    def tell_apart(self) -> bool:
        """Whether most times are no whole hours or days, and no single ones of baskets."""
        are_fine = self._within_hours > (self._times - self._odd) / 2
        return are_fine and self._tied < _OF_BASKETS * self._times

    def notices(self, session_column: str) -> list[str]:
        """Return warnings about times that are valid, but probably not intended.

        Args:
            session_column: the name of the column of sessions in the source.
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
