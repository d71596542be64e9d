"""Find the columns of the interactions that hold the times of events."""

from __future__ import annotations

import re

import pandas as pd

from m2trec_merlin.readers.times import UNIX_UNITS
from m2trec_merlin.starting.look import Column, Look
from m2trec_merlin.starting.names import speaks_of
from m2trec_merlin.starting.times import Times, times_of

#: A column is about as fine as another one if it has at least this share of the other's distinct times.
_AS_FINE = 0.9
#: A time belongs to a value, such as a user, if at most this share of its repetitions have another time.
_TIED = 0.05
#: To be times without a name of times, numbers need more distinct values, and no name of these subjects.
_SEVERAL, _OTHERS = 20, ("item", "code", "session", "user", "category", "quantity")


def find_times(events: Look, taken: set[str]) -> list[Times]:
    """Return the columns of times, the most likely first.

    A time that is always the same for a user, such as a birthday, is hardly the time of an event. A log may
    also hold later times, such as that of a delivery: of columns that are about as fine, the earliest is that
    of the event itself.
    """
    users = [c for n, c in events.columns.items() if n not in taken and not c.is_list and names_users(c)]
    found = []
    for column in events.columns.values():
        likely = column.is_time or speaks_of(column.name, "time")
        # Ids may look like counts since 1970, so numbers need a name that hints at time.
        if column.name in taken or (column.numbers is not None and not likely):
            continue
        if (times := times_of(column)) is not None:
            of_users = any(_is_fixed(times.times, user.texts) for user in users)
            found.append(((likely, column.gaps == 0, not of_users), times.times.nunique(), times))
    unnamed: list[Times] = []
    if all(times.are_days for _, _, times in found):
        unnamed = [times for column in events.columns.values() if (times := unnamed_times(column, taken))]
    if not found:
        return unnamed
    found.sort(key=lambda entry: entry[:2], reverse=True)
    alike: list[Times] = []
    others: list[Times] = []
    for kind, fineness, times in found:
        is_alike = kind == found[0][0] and fineness >= _AS_FINE * found[0][1]
        (alike if is_alike else others).append(times)
    ranked = [*sorted(alike, key=lambda each: (_is_of_device(each.column), each.times.mean())), *others]
    # If the named columns hold only days, unnamed numbers that fall on these days are the exact times.
    return [*(each for each in unnamed if _fall_on(each.times, ranked[0].times)), *ranked]


def unnamed_times(column: Column, taken: set[str]) -> Times | None:
    """Return the Unix times of a column whose name hints at nothing else; None if it holds other values."""
    if column.name in taken or speaks_of(column.name, *_OTHERS):
        return None
    times = times_of(column) if column.distinct > _SEVERAL else None
    return times if times is not None and times.time_format in UNIX_UNITS else None


def _is_of_device(name: str) -> bool:
    """Tell whether a column is named like the clock of a device, which may be wrong, or like local time."""
    return re.search(r"(?i)dvce|device|client|local", name) is not None


def _fall_on(times: pd.Series, days: pd.Series) -> bool:
    """Tell whether nearly all times fall on the day in the same row, apart from time zones."""
    away = (times - days).dropna()
    near = (away > -pd.Timedelta("1 day")) & (away < pd.Timedelta("2 days"))
    return bool(len(away) and near.mean() > 1 - _TIED)


def names_users(column: Column) -> bool:
    """Tell whether a column is named like users, and not like sessions."""
    return speaks_of(column.name, "user") and not speaks_of(column.name, "session")


def _is_fixed(times: pd.Series, of: pd.Series) -> bool:
    """Tell whether repeated values nearly always have the same time."""
    first = times.loc[of.index].groupby(of).transform("first")
    again = of.duplicated()
    return bool(again.any() and (times.loc[of.index] == first)[again].mean() > 1 - _TIED)
