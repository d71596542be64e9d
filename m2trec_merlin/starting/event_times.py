"""The columns of a log that hold the times of its events."""

from __future__ import annotations

import re

import pandas as pd

from m2trec_merlin.readers.times import UNIX_UNITS
from m2trec_merlin.starting.look import Column, Look
from m2trec_merlin.starting.names import speaks_of
from m2trec_merlin.starting.times import Times, times_of

#: Share of the different times of another column from which on a column is about as fine.
_AS_FINE = 0.9
#: Share of values that come back at another time up to which a time is one of the value.
_TIED = 0.05
#: Different numbers without which none are times if their column is not called so, and what it may be called.
_SEVERAL, _OTHERS = 20, ("item", "code", "session", "user", "category", "quantity")


def find_times(events: Look, taken: set[str]) -> list[Times]:
    """Return the columns of times, the likeliest first.

    A user has a birthday or joined once, so what is always the same of a user is hardly the time of an event.
    What follows from an event, such as its delivery, is written beside it: of columns that are about as fine,
    the earliest is the event's own.
    """
    users = [c for n, c in events.columns.items() if n not in taken and not c.is_list and names_users(c)]
    found = []
    for column in events.columns.values():
        likely = column.is_time or speaks_of(column.name, "time")
        # Ids may look like numbers since 1970, so that a number needs a name that speaks of time.
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
    # Where days are called so, numbers that fall on them are the times of day.
    return [*(each for each in unnamed if _fall_on(each.times, ranked[0].times)), *ranked]


def unnamed_times(column: Column, taken: set[str]) -> Times | None:
    """Return the times of a column that is called like nothing else, and each of whose numbers may be one."""
    if column.name in taken or speaks_of(column.name, *_OTHERS):
        return None
    times = times_of(column) if column.distinct > _SEVERAL else None
    return times if times is not None and times.time_format in UNIX_UNITS else None


def _is_of_device(name: str) -> bool:
    """Tell whether a time is called like one of a device, which may be wrong, or of a place."""
    return re.search(r"(?i)dvce|device|client|local", name) is not None


def _fall_on(times: pd.Series, days: pd.Series) -> bool:
    """Tell whether hardly a time is of another day than the one beside it, but for the zone of either."""
    away = (times - days).dropna()
    near = (away > -pd.Timedelta("1 day")) & (away < pd.Timedelta("2 days"))
    return bool(len(away) and near.mean() > 1 - _TIED)


def names_users(column: Column) -> bool:
    """Tell whether a column has a name that users have, and not one of sessions."""
    return speaks_of(column.name, "user") and not speaks_of(column.name, "session")


def _is_fixed(times: pd.Series, of: pd.Series) -> bool:
    """Tell whether hardly a value comes back at another time."""
    first = times.loc[of.index].groupby(of).transform("first")
    again = of.duplicated()
    return bool(again.any() and (times.loc[of.index] == first)[again].mean() > 1 - _TIED)
