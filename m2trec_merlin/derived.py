"""Derived columns of events: computed from the times of events (UTC), so a table need not have them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

#: A function of times of events (datetime64[us], NaT where unknown) and a mask of each session's first event.
Derive = Callable[["pd.Series", np.ndarray], "pd.Series"]

#: What the names of derived columns begin with.
MARK = "@"


def hour(times: pd.Series, first: np.ndarray) -> pd.Series:
    """Return the hour of the day, 0 to 23, Int64."""
    return times.dt.hour.astype("Int64")


def weekday(times: pd.Series, first: np.ndarray) -> pd.Series:
    """Return the day of the week, Monday is 0, Int64."""
    return times.dt.weekday.astype("Int64")


def log_gap(times: pd.Series, first: np.ndarray) -> pd.Series:
    """Return log(1 + seconds since the previous event), float64; missing at the first event of a session.

    Times that run backwards count as no gap; this happens where positions order the events.
    """
    seconds = times.diff().dt.total_seconds().where(~first)
    return seconds.clip(lower=0).transform(np.log1p)


#: All derived columns. To add one, write a function and add it here.
DERIVED: dict[str, Derive] = {f"{MARK}hour": hour, f"{MARK}weekday": weekday, f"{MARK}log_gap": log_gap}


def is_derived(column: str) -> bool:
    """Tell whether a column is derived rather than read from a table."""
    return column.startswith(MARK)
