"""Find positions that are really dates, such as 31122024, whose numbers put events into a wrong order."""

from __future__ import annotations

import numpy as np
import pandas as pd

#: Dates without separators, and a day and month that a program took for a decimal number.
_WITH_YEAR, _DAY_AND_MONTH = ("%d%m%Y", "%m%d%Y"), "%d.%m"
_YEARS = (1990, 2100)


class PositionChecks:
    """A check, chunk by chunk, whether all positions could be dates that do not sort as numbers."""

    def __init__(self) -> None:
        self._months: dict[str, set[int]] = {name: set() for name in (*_WITH_YEAR, _DAY_AND_MONTH)}

    def add(self, positions: pd.Series) -> None:
        """Add positions of events, as returned by `parse_positions`."""
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
        """Return a warning if positions are probably dates, else an empty list.

        Args:
            column: the name of the positions' column in the source.
        """
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
