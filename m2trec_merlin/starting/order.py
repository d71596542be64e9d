"""What orders the events of a session."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pandas as pd

from m2trec_merlin.shares import percent
from m2trec_merlin.starting.look import Look
from m2trec_merlin.starting.names import speaks_of
from m2trec_merlin.starting.places import are_places, rise
from m2trec_merlin.starting.sessions import Grouping
from m2trec_merlin.starting.times import Times

#: Share of events with the time of the one before from which on times are no order.
_TIED = 0.05
_CUT = "the times by which sessions are cut"


@dataclass(frozen=True)
class Order:
    """What orders the events of a session.

    Attributes:
        column: a position or a time; None: the order of the file.
        times: what the column holds, if they are times.
        reason: why so.
        unsure: whether a person should look at it.
    """

    column: str | None
    times: Times | None
    reason: str
    unsure: bool = False


def find_order(events: Look, times: list[Times], grouping: Grouping, taken: set[str]) -> Order:
    """Return what orders the events of a session."""
    order = _find_order(events, times, grouping, taken)
    column = None if order.times is None else events.columns[order.times.column]
    if column is None or column.numbers is None or speaks_of(column.name, "time"):
        return order
    reason = f"{order.reason}; '{column.name}' is taken for Unix time by its numbers"
    return replace(order, reason=reason, unsure=True)


def _find_order(events: Look, times: list[Times], grouping: Grouping, taken: set[str]) -> Order:
    session, first = events.columns[grouping.column].values.iloc[: events.first], next(iter(times), None)
    ties = 1.0 if first is None else _ties(session, first.times.iloc[: events.first])
    others = _others(times)
    if first is not None and ties <= _TIED:
        cut = grouping.gap is not None
        reason = _CUT if cut else "times, which also tell the last sessions from the first"
        return Order(first.column, first, reason + others, unsure=bool(others))
    unordered = taken | {grouping.column, *(each.column for each in times)}
    columns = (column for name, column in events.columns.items() if name not in unordered)
    place = next((column.name for column in columns if are_places(column, session, first)), None)
    if first is None:
        if place is not None:
            return Order(place, None, "counts the events of a session")
        return Order(
            None, None, "no column of times or positions: events stay in the order of the file", True
        )
    same = f"{percent(ties)} of events have the time of the one before"
    of_file, sort = (
        f"{same}, and stay in the order of the file",
        f"sort the file by '{first.column}' and '{place}'",
    )
    begin = "times" if grouping.gap is None else _CUT
    if place is None:
        reason = of_file if grouping.gap is None else f"{_CUT}; {of_file}{others}"
        return Order(first.column, first, reason, unsure=True)
    if rise(events.columns[place], session, first):
        reason = f"{begin}; {of_file}, which is that of '{place}'"
        return Order(first.column, first, reason + others, unsure=bool(others))
    if grouping.gap is not None:
        return Order(first.column, first, f"{_CUT}; {of_file}: {sort}{others}", unsure=True)
    reason = f"counts the events of a session; by '{first.column}', {same}. Sessions are not split by these "
    reason += f"times: for that, {sort}, and set order: {first.column}"
    return Order(place, None, reason, unsure=True)


def _others(times: list[Times]) -> str:
    """Say which other times are about as fine as the first ones; nothing if none are."""
    distinct = [each.times.nunique() for each in times]
    others = [each.column for each, n in zip(times[1:], distinct[1:], strict=True) if n > distinct[0] / 2]
    return f"; {', '.join(map(repr, others))} could be those of the events, too" if others else ""


def _ties(session: pd.Series, times: pd.Series) -> float:
    """Return the share of events that have the time of the event before in their session."""
    table = pd.DataFrame({"session": session, "time": times}).dropna().sort_values(["session", "time"])
    same = table["session"] == table["session"].shift()
    return float((table["time"] == table["time"].shift())[same].mean()) if same.any() else 0.0
