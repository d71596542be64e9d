"""Columns that say where in a session an event is, by a count or a clock, and so name no session."""

from __future__ import annotations

import pandas as pd

from m2trec_merlin.starting.event_times import unnamed_times
from m2trec_merlin.starting.levels import rank_correlation
from m2trec_merlin.starting.look import Column
from m2trec_merlin.starting.names import speaks_of
from m2trec_merlin.starting.times import Times

#: Share of sessions that are counted without a gap, and of events that come next.
_COUNTED, _NEXT = 0.7, 0.9
#: A clock of sessions goes on in longer ones: the fewest sessions to tell, and the rank correlation.
_ENOUGH, _GOES_ON = 100, 0.3
#: Share of events that may be out of place.
_SLIPS = 0.02


def counts_events(column: Column, groups: pd.Series, times: Times | None) -> bool:
    """Tell whether a column counts the events of each group from 0 or 1.

    A count may begin again within a group, as where it is that of a visit and the group is a user. The number
    of a visit does not count events, as several of them, one after another, have it.

    Args:
        column: of the events.
        groups: the session or the user of the first events.
        times: by which events follow each other; None: in the order of the file.
    """
    if column.whole_numbers is None or column.gaps:
        return False
    table = _places(column, groups, times)
    if _are_distinct(table) and _is_counted(table):
        return True
    if times is not None:
        table = table.sort_values("time", kind="stable")
    grouped = table.groupby("group")["place"]
    before, begin = grouped.shift(), grouped.min() <= 1
    follow = (table["place"] == before + 1) | ((table["place"] <= 1) & (table["place"] < before))
    return bool(begin.mean() > _COUNTED and follow[before.notna()].mean() > _NEXT)


def are_places(column: Column, groups: pd.Series, times: Times | None) -> bool:
    """Tell whether a column orders the events of each group: it counts them, is called so, or is a clock."""
    if column.whole_numbers is None or column.gaps or unnamed_times(column, set()) is not None:
        return False
    named = speaks_of(column.name, "place") and places_differ(column, groups)
    return named or counts_events(column, groups, times) or _is_clock(column, groups)


def _is_clock(column: Column, groups: pd.Series) -> bool:
    """Tell whether a column tells the time since its session began, and no span, such as that of reading.

    In longer sessions a clock comes to later times. What an event takes does not grow with their number.
    """
    if not speaks_of(column.name, "time") or speaks_of(column.name, "span"):
        return False
    table = _places(column, groups, None)
    sessions = table.groupby("group")["place"].agg(["size", "median"]).query("size > 1")
    if len(sessions) < _ENOUGH or not _are_distinct(table):
        return False
    return rank_correlation(sessions["size"], sessions["median"]) > _GOES_ON


def places_differ(column: Column, groups: pd.Series) -> bool:
    """Tell whether no place comes back within a group, so that places alone order it."""
    return _are_distinct(_places(column, groups, None))


def rise(column: Column, groups: pd.Series, times: Times) -> bool:
    """Tell whether hardly an event of the same group and time as the row above has a lower place."""
    steps = _places(column, groups, times).groupby(["group", "time"])["place"].diff().dropna()
    return bool((steps <= 0).mean() < _SLIPS) if len(steps) else True


def _places(column: Column, groups: pd.Series, times: Times | None) -> pd.DataFrame:
    table = pd.DataFrame({"group": groups, "place": column.whole_numbers})
    if times is not None:
        table["time"] = times.times
    return table.dropna()


def _are_distinct(table: pd.DataFrame) -> bool:
    return bool(table.duplicated(["group", "place"]).mean() < _SLIPS)


def _is_counted(table: pd.DataFrame) -> bool:
    groups = table.groupby("group")["place"]
    counted = (groups.min() <= 1) & (groups.max() - groups.min() + 1 == groups.size())
    return bool(counted.mean() > _COUNTED)
