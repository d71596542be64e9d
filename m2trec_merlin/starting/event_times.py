"""Find the columns of the interactions that hold the times of events."""

from __future__ import annotations

import re
from dataclasses import replace

import pandas as pd

from m2trec_merlin.readers.times import DAYS, UNIX_UNITS
from m2trec_merlin.starting.levels import is_fixed_by
from m2trec_merlin.starting.look import Column, Look
from m2trec_merlin.starting.names import speaks_of
from m2trec_merlin.starting.times import Times, times_of

#: A column is about as fine as another one if it has at least this share of the other's distinct times.
_AS_FINE = 0.9
#: The first event of a visit mostly comes sooner after its start.
_AFTER_A_START = pd.Timedelta("1 h")
_DAY = pd.Timedelta("1 day")
#: Times fill a day if all but these shares at both ends span about its length, apart from summer time.
_EDGE, _NEAR = 0.005, pd.Timedelta("2 h")
#: Share of events that may not be as most are.
_TIED = 0.05
#: If users mostly have one order each, at least this share of their repetitions follows right behind, and the
#: date of the order, as fixed as a birthday, is at most so long before that of a delivery.
_IN_ONE_GO, _SOON = 0.8, pd.Timedelta("60 days")
#: To be times without a name of times, numbers need more distinct values, and no name of these subjects.
_SEVERAL, _OTHERS = 20, ("item", "code", "session", "user", "category", "quantity")


def find_times(events: Look, taken: set[str]) -> list[Times]:
    """Return the columns of times, the most likely first; that one names its rivals.

    A time that is always the same for a user or an item, such as a birthday, is hardly the time of an event.
    """
    owners = [c for n, c in events.columns.items() if not c.is_list and (n in taken or names_users(c))]
    # Ids may look like counts since 1970, so numbers need a name that hints at time.
    columns = [c for n, c in events.columns.items() if n not in taken and (c.numbers is None or _is_named(c))]
    known = [(column, times) for column in columns if (times := times_of(column)) is not None]
    found, of_one_go = [], []
    for column, times in known:
        of = [owner.texts for owner in owners if is_fixed_by(owner.texts, times.times)]
        if of and all(map(_come_in_one_go, of)):
            of_one_go.append(times)
        # Where customers have one order each, its date is as fixed as a birthday, which is long before it.
        is_old = bool(of) and any(_comes_late(other.times - times.times) for _, other in known)
        # Days that count from any day on are neither earlier nor later than others.
        is_dated = times.time_format != DAYS
        found.append(((_is_named(column), column.gaps == 0, not of, not is_old, is_dated), times))
    unnamed: list[Times] = []
    if all(times.are_days for _, times in found):
        others = [c for c in events.columns.values() if c not in columns]
        unnamed = [times for column in others if (times := unnamed_times(column, taken))]
    if not found:
        return unnamed
    found.sort(key=lambda entry: entry[0], reverse=True)
    best = found[0][0]
    days = [times.times for kind, times in found if kind == best]
    # If the named columns hold only days, unnamed numbers that fall on these days are the exact times.
    found += [(best, each) for each in unnamed if any(_fall_on(each.times, day) for day in days)]
    first = _earliest([times for kind, times in found if kind == best])
    soon = [each.column for each in of_one_go if _comes_soon(first.times - each.times)]
    first = replace(first, rivals=(*first.rivals, *(name for name in soon if name != first.column)))
    return [first, *(times for _, times in found if times.column != first.column)]


def unnamed_times(column: Column, taken: set[str]) -> Times | None:
    """Return the Unix times of a column whose name hints at nothing else; None if it holds other values."""
    if column.name in taken or speaks_of(column.name, *_OTHERS):
        return None
    times = times_of(column) if column.distinct > _SEVERAL else None
    return times if times is not None and times.time_format in UNIX_UNITS else None


def _is_named(column: Column) -> bool:
    return column.is_time or speaks_of(column.name, "time", "change")


def _is_of_device(name: str) -> bool:
    """Tell whether a column is named like the clock of a device, which may be wrong, or like local time."""
    return re.search(r"(?i)dvce|device|client|local", name) is not None


def _is_of_change(times: Times) -> bool:
    """Tell whether a column is named like the last change of a row, which may come long after the event."""
    return speaks_of(times.column, "change")


def _earliest(alike: list[Times]) -> Times:
    """Return the earliest of the times that none tells better, with the others of these as its rivals.

    A log may hold the start of a visit, and later times, such as that of a delivery. Delays make later times
    differ more than those of the events, so that alone does not make one the finer time.
    """
    apart = [each for each in alike if not any(_tells_better(other, each) for other in alike)]
    first, *rivals = sorted(
        apart, key=lambda each: (_is_of_change(each), _is_of_device(each.column), _lateness(each, apart))
    )
    rivals += [each for each in alike if each not in apart and _may_be_later(first, each)]
    rivals = [each for each in rivals if not each.times.equals(first.times)]
    # What changed later is of interest only where it tells events apart that came at one time.
    named = [each.column for each in rivals if not _is_of_change(each) or _is_finer(each, first)]
    return replace(first, rivals=tuple(named))


def _tells_better(one: Times, other: Times) -> bool:
    """Tell whether a time is another one told better: it is finer, and begins no later.

    Days may be those of weeks or months, and the other time may be the start of a visit. The last change of a
    row, such as by who picks the goods of an order, tells no time better but that of another change.
    """
    if _is_of_change(one) and not _is_of_change(other):
        return False
    if not (_is_finer(one, other) if one.are_days == other.are_days else other.are_days):
        return False
    later: pd.Series = (one.times - other.times).dropna()
    if not other.are_days:
        return bool((later.groupby(other.times).min() < _AFTER_A_START).mean() > 0.5)
    # West of Greenwich, a day ends the next in UTC.
    return bool((later < _period(other) + _DAY / 2).mean() > 1 - _TIED)


def _is_finer(one: Times, other: Times) -> bool:
    return other.times.nunique() < _AS_FINE * one.times.nunique()


def _may_be_later(one: Times, days: Times) -> bool:
    """Tell whether a time that tells days better may be that of a later event, such as the delivery.

    Times of the same event fall on their days, or, where the days are those of a zone west of that of the
    times, fill the length of a day that begins at another hour.
    """
    if one.are_days or not days.are_days or _period(days) > _DAY or not _tells_better(one, days):
        return False
    later = (one.times - days.times).dropna()
    if (later < pd.Timedelta(0)).mean() > _TIED or (later < _DAY).mean() > 1 - _TIED:
        return False
    first, last = later.quantile([_EDGE, 1 - _EDGE])
    return bool(abs(last - first - _DAY) > _NEAR)


def _period(days: Times) -> pd.Timedelta:
    """Return the usual time from one of the days to the next, for instance a week."""
    steps = days.times.drop_duplicates().sort_values().diff().dropna()
    # Of equally common steps, mode names the shortest first.
    return [*steps.mode(), _DAY][0]


def _lateness(one: Times, others: list[Times]) -> float:
    """Return the shares of rows in which a time is later than each of the others, summed up."""
    return sum(float((one.times > other.times).mean()) for other in others)


def _fall_on(times: pd.Series, days: pd.Series) -> bool:
    """Tell whether nearly all times fall on the day in the same row, apart from time zones."""
    away = (times - days).dropna()
    near = (away > -_DAY) & (away < 2 * _DAY)
    return bool(len(away) and near.mean() > 1 - _TIED)


def names_users(column: Column) -> bool:
    """Tell whether a column is named like users, and not like sessions."""
    return speaks_of(column.name, "user") and not speaks_of(column.name, "session")


def _come_in_one_go(owners: pd.Series) -> bool:
    """Tell whether rows of the same owner mostly stand together, so that they may be of one order."""
    again = owners.duplicated()
    return bool((owners == owners.shift())[again].mean() > _IN_ONE_GO)


def _comes_soon(later: pd.Series) -> bool:
    """Tell whether nearly all of these delays are short, or none."""
    return bool(later.dropna().between(pd.Timedelta(0), _SOON).mean() > 1 - _TIED)


def _comes_late(later: pd.Series) -> bool:
    """Tell whether nearly all of these delays are long."""
    return bool((later.dropna() > _SOON).mean() > 1 - _TIED)
