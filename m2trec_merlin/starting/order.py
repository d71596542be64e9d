"""Find the column that orders the events of a session."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pandas as pd

from m2trec_merlin.shares import percent
from m2trec_merlin.starting.look import Column, Look
from m2trec_merlin.starting.names import speaks_of
from m2trec_merlin.starting.places import are_places, places_differ, rise
from m2trec_merlin.starting.sessions import Grouping
from m2trec_merlin.starting.times import Times

#: Share of events with the same time as the previous event above which times do not order the events.
_TIED = 0.05
_CUT = "the times by which sessions are cut"
_LAST_FROM_FIRST = "times, which also tell the last sessions from the first"


@dataclass(frozen=True)
class Order:
    """The order of the events of a session.

    Attributes:
        column: name of the column of positions or times; None for the order of the file.
        times: the times in the column, if it holds times.
        reason: the reason for the choice.
        unsure: whether a person should check it.
        shuffle: whether events that the column does not tell apart are to be shuffled.
        is_of_file: whether events that the column does not tell apart are in no order but that of the file.
    """

    column: str | None
    times: Times | None
    reason: str
    unsure: bool = False
    shuffle: bool = False
    is_of_file: bool = True


def find_order(events: Look, times: list[Times], grouping: Grouping, taken: set[str]) -> Order:
    """Return how to order the events of a session."""
    order = _find_order(events, times, grouping, taken)
    column = None if order.times is None else events.columns[order.times.column]
    if column is None or column.numbers is None or speaks_of(column.name, "time"):
        return order
    reason = f"{order.reason}; '{column.name}' is taken for Unix time by its numbers"
    return replace(order, reason=reason, unsure=True)


def _find_order(events: Look, times: list[Times], grouping: Grouping, taken: set[str]) -> Order:
    session = events.columns[grouping.column].head
    unread = taken | {grouping.column, *(each.column for each in times)}
    columns = [column for name, column in events.columns.items() if name not in unread]
    if not times:
        for column in columns:
            if are_places(column, session, None) and places_differ(column, session):
                return Order(column.name, None, _in_session(column), is_of_file=False)
        reason = "no column of times or positions: events stay in the order of the file"
        return Order(None, None, reason, unsure=True)
    ties, others = _ties(session, times[0].times.reindex(session.index)), _others(times[0])
    if ties > _TIED:
        place = next((column for column in columns if are_places(column, session, times[0])), None)
        return _of_tied(times[0], ties, place, session, grouping, others)
    reason = _LAST_FROM_FIRST if grouping.gap is None else _CUT
    return Order(times[0].column, times[0], reason + others, unsure=bool(others))


def _of_tied(
    times: Times, ties: float, place: Column | None, session: pd.Series, grouping: Grouping, others: str
) -> Order:
    """Return what orders the events of sessions where many have one time: places, if some are known."""
    same = f"{percent(ties)} of events have the time of the one before"
    stay = f"{same}, and stay in the order of the file"
    if grouping.gap is not None:
        stay = f"{_CUT}; {stay}"
    if place is None:
        return Order(times.column, times, stay + others, unsure=True)
    tells_apart = grouping.gap is None and places_differ(place, session)
    if tells_apart and not times.can_split:
        few = f"{_in_session(place)}; '{times.column}' has too few different times to split by"
        return Order(place.name, None, few, is_of_file=False)
    if rise(place, session, times):
        reason = f"{stay}, which is that of '{place.name}'"
        return Order(times.column, times, reason + others, unsure=bool(others), is_of_file=False)
    sort = f"sort the file by '{times.column}' and '{place.name}'"
    if not tells_apart:
        return Order(times.column, times, f"{stay}: {sort}{others}", unsure=True)
    reason = f"{_in_session(place)}; by '{times.column}', {same}. Sessions are not split by these times: "
    reason += f"for that, {sort}, and set order: {times.column}"
    return Order(place.name, None, reason, unsure=True, is_of_file=False)


def _in_session(place: Column) -> str:
    return f"'{place.name}' says where in its session an event is"


def _others(times: Times) -> str:
    """Return a remark on other columns that may hold the times of the events, or ""."""
    named = ", ".join(map(repr, times.rivals))
    return f"; {named} could be those of the events, too" if named else ""


def _ties(session: pd.Series, times: pd.Series) -> float:
    """Return the share of events with the same time as the previous event of their session."""
    table = pd.DataFrame({"session": session, "time": times}).dropna().sort_values(["session", "time"])
    same = table["session"] == table["session"].shift()
    return float((table["time"] == table["time"].shift())[same].mean()) if same.any() else 0.0
