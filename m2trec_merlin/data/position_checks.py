"""Find positions that order no events, or put them into a wrong order, as dates such as 31122024 do."""

from __future__ import annotations

import numpy as np
import pandas as pd

from m2trec_merlin.ids import numbered

#: Dates without separators, and a day and month that a program took for a decimal number.
_WITH_YEAR, _DAY_AND_MONTH = ("%d%m%Y", "%m%d%Y"), "%d.%m"
_YEARS = (1990, 2100)


class PositionChecks:
    """A check, chunk by chunk, whether positions order events, and could all be dates that sort otherwise."""

    def __init__(self) -> None:
        #: Whether a session has several events, and whether positions tell any of them apart.
        self._are_several = self._are_apart = False
        self._months: dict[str, set[int]] = {name: set() for name in (*_WITH_YEAR, _DAY_AND_MONTH)}

    def add(self, positions: pd.Series, sessions: np.ndarray | None) -> None:
        """Add positions of events of whole sessions.

        Args:
            positions: as returned by `parse_positions`.
            sessions: number of each event's session, int64 [E]; a session's events are adjacent. None if no
                column names the session.
        """
        if sessions is not None and not self._are_apart:
            goes_on = sessions[1:] == sessions[:-1]
            self._are_several |= bool(goes_on.any())
            codes = numbered(positions)[0]
            self._are_apart = bool((goes_on & (codes[1:] != codes[:-1])).any())
        if not self._months:
            return
        distinct = pd.to_numeric(pd.Series(positions.dropna().unique()), errors="coerce").astype(np.float64)
        for name in list(self._months):
            months = _months_of(distinct, name)
            if months.isna().any():
                del self._months[name]
            else:
                self._months[name].update(months.astype(int))

    def notices(self, column: str) -> list[str]:
        """Return a warning if positions order no events, or are probably dates, else an empty list.

        Args:
            column: the name of the positions' column in the source.
        """
        if self._are_several and not self._are_apart:
            return [
                f"column '{column}': has one number in all events of a session, and so orders none of them: "
                "let data.columns.order name a column that tells them apart, or leave it out"
            ]
        # Days of a single month sort correctly in any of these formats.
        found = [name for name, months in self._months.items() if len(months) > 1]
        return [
            f"column '{column}': all of its numbers could be days ({name}), and as numbers these order "
            f"events by the {'month' if name.startswith('%m') else 'day of the month'} first: {_remedy(name)}"
            for name in found[:1]
        ]


def _remedy(name: str) -> str:
    if name == _DAY_AND_MONTH:
        return "write days with their year, such as 2024-01-05"
    return f"data.options.time_format: '{name}' makes times of them"


def _months_of(numbers: pd.Series, name: str) -> pd.Series:
    """Return the month of each date, counted over the years; NaN where a number is no such date."""
    if name == _DAY_AND_MONTH:
        hundredths = (numbers * 100).round()
        day, month = hundredths // 100, hundredths % 100
        fits = day.between(1, 31) & month.between(1, 12) & ((numbers * 100 - hundredths).abs() < 1e-6)
        return month.where(fits)
    fits = numbers.between(1_01_0000, 31_12_9999) & (numbers % 1 == 0)
    texts = numbers.where(fits, 0).astype(np.int64).astype(str).str.zfill(8)
    days = pd.to_datetime(texts, format=name, errors="coerce")
    return (days.dt.year * 12 + days.dt.month).where(days.dt.year.between(*_YEARS))
