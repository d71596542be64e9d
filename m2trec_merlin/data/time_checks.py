"""Times of events that can be read, and are hardly what was meant."""

from __future__ import annotations

import datetime

import numpy as np
import pandas as pd

from m2trec_merlin.readers.times import ISO_8601, UNIX_UNITS

#: Seconds that are taken for milliseconds are of January 1970, days and months without a year of 1900.
_UNLIKELY_BEFORE = pd.Timestamp("1990-01-01")
#: Clocks and time zones differ by less.
_AHEAD = pd.Timedelta(days=1)
#: A visit is shorter, and a few carts that stand for longer are no reason to ask.
_LONG, _NOTABLE = np.timedelta64(7, "D"), 0.05


class TimeChecks:
    """Counts odd times, chunk by chunk.

    Args:
        time_format: by which they were read; see `readers.times.parse_instants`.
    """

    def __init__(self, time_format: str) -> None:
        self._time_format = time_format
        self._latest = pd.Timestamp.min
        now = pd.Timestamp(datetime.datetime.now(datetime.timezone.utc)).tz_localize(None)
        self._to_come = now + _AHEAD
        self._times = self._odd = self._sessions = self._long = 0
        self._example: pd.Timestamp | None = None

    def add(self, times: pd.Series, sessions: np.ndarray) -> None:
        """Take the times of some whole sessions.

        Args:
            times: of events; NaT where one could not be read.
            sessions: int64 [E], equal within a session, whose events lie side by side.
        """
        known = times.notna().to_numpy()
        times, sessions = times[known], sessions[known]
        if times.empty:
            return
        self._latest = max(self._latest, times.max())
        odd = ((times < _UNLIKELY_BEFORE) | (times > self._to_come)).to_numpy()
        self._times, self._odd = self._times + len(times), self._odd + int(odd.sum())
        if odd.any():
            self._example = self._example or times[odd].iloc[0]
            times, sessions = times[~odd], sessions[~odd]
        self._count_long(times.to_numpy(), sessions)

    def _count_long(self, times: np.ndarray, sessions: np.ndarray) -> None:
        if not len(times):
            return
        starts = np.flatnonzero(np.append(True, sessions[1:] != sessions[:-1]))
        spans = np.maximum.reduceat(times, starts) - np.minimum.reduceat(times, starts)
        self._sessions, self._long = self._sessions + len(starts), self._long + int((spans > _LONG).sum())

    def notices(self, session_column: str) -> list[str]:
        """Return what is no error, but hardly meant so.

        Args:
            session_column: as the source calls it.
        """
        found, is_unix = [], self._time_format in UNIX_UNITS
        if self._time_format != ISO_8601 and pd.Timestamp.min < self._latest < _UNLIKELY_BEFORE:
            found.append(
                f"all times are before {_UNLIKELY_BEFORE:%Y}, the last one {self._latest}: is time_format "
                f"'{self._time_format}' right?"
            )
        if 0 < self._odd < self._times:
            found.append(
                f"{self._odd:,} of {self._times:,} times are before {_UNLIKELY_BEFORE:%Y} or still to come, "
                f"such as {self._example}: "
                + ("are they in another unit?" if is_unix else "do they stand for none?")
            )
        if self._long > _NOTABLE * self._sessions:
            found.append(
                f"{self._long:,} of {self._sessions:,} sessions last longer than {_LONG.astype(int)} days: "
                f"does '{session_column}' name users, or are its values used again? data.sessions cuts "
                "sessions from users and times"
            )
        return found
