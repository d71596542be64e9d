"""Find the column that orders the events of a session."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pandas as pd

from m2trec_merlin.shares import percent
from m2trec_merlin.starting.event_times import unnamed_times
from m2trec_merlin.starting.look import Column, Look
from m2trec_merlin.starting.names import speaks_of
from m2trec_merlin.starting.sessions import Grouping
from m2trec_merlin.starting.times import Times

#: Share of events with the same time as the previous event above which times do not order the events.
_TIED = 0.05


@dataclass(frozen=True)
class Order:
    """The order of the events of a session.

    Attributes:
        column: name of the column of positions or times; None for the order of the file.
        times: the times in the column, if it holds times.
        reason: the reason for the choice.
        unsure: whether a person should check it.
    """

    column: str | None
    times: Times | None
    reason: str
    unsure: bool = False


def find_order(events: Look, times: list[Times], grouping: Grouping, taken: set[str]) -> Order:
    """Return how to order the events of a session."""
    order = _find_order(events, times, grouping, taken)
    column = None if order.times is None else events.columns[order.times.column]
    if column is None or column.numbers is None or speaks_of(column.name, "time"):
        return order
    reason = f"{order.reason}; '{column.name}' is taken for Unix time by its numbers"
    return replace(order, reason=reason, unsure=True)


def _find_order(events: Look, times: list[Times], grouping: Grouping, taken: set[str]) -> Order:
    session = events.columns[grouping.column].values.iloc[: events.first]
    ties = _ties(session, times[0].times.iloc[: events.first]) if times else 1.0
    same = f"{percent(ties)} of events have the time of the one before"
    others = _others(times)
    if grouping.gap is not None:
        reason, are_tied = "the times by which sessions are cut", ties > _TIED
        reason += f"; {same}, and stay in the order of the file" if are_tied else ""
        return Order(times[0].column, times[0], reason + others, unsure=are_tied or bool(others))
    if ties <= _TIED:
        reason = "times, which also tell the last sessions from the first"
        return Order(times[0].column, times[0], reason + others, unsure=bool(others))
    for column in events.columns.values():
        if column.name not in taken | {grouping.column} and _are_places(column, session):
            if times and _rise(column, session):
                reason = f"times; {same}, and stay in the order of the file, which is that of '{column.name}'"
                return Order(times[0].column, times[0], reason)
            reason = "counts the events of a session"
            if not times:
                return Order(column.name, None, reason)
            reason += (
                f"; by '{times[0].column}', {same}. Sessions are not split by these times: for that, sort "
            )
            reason += f"the file by '{times[0].column}' and '{column.name}', and set order: {times[0].column}"
            return Order(column.name, None, reason, unsure=True)
    if times:
        return Order(times[0].column, times[0], f"{same}, and stay in the order of the file", unsure=True)
    return Order(None, None, "no column of times or positions: events stay in the order of the file", True)


def _others(times: list[Times]) -> str:
    """Return a remark on other columns of times that are about as fine as the first one, or ""."""
    distinct = [each.times.nunique() for each in times]
    others = [each.column for each, n in zip(times[1:], distinct[1:], strict=True) if n > distinct[0] / 2]
    return f"; {', '.join(map(repr, others))} could be those of the events, too" if others else ""


def _ties(session: pd.Series, times: pd.Series) -> float:
    """Return the share of events with the same time as the previous event of their session."""
    table = pd.DataFrame({"session": session, "time": times}).dropna().sort_values(["session", "time"])
    same = table["session"] == table["session"].shift()
    return float((table["time"] == table["time"].shift())[same].mean()) if same.any() else 0.0


def _places(column: Column, session: pd.Series) -> pd.DataFrame:
    numbers = pd.Series(column.whole_numbers, column.texts.index)
    return pd.DataFrame({"session": session, "place": numbers}).dropna()


def _rise(column: Column, session: pd.Series) -> bool:
    """Tell whether positions rise from row to row within each session."""
    return bool(_places(column, session).groupby("session")["place"].is_monotonic_increasing.all())


def _are_places(column: Column, session: pd.Series) -> bool:
    """Tell whether a column holds positions: counts from 0 or 1 in each session, or is named so."""
    if column.whole_numbers is None or column.gaps or unnamed_times(column, set()) is not None:
        return False
    table = _places(column, session)
    groups = table.groupby("session")["place"]
    counted = (groups.min() <= 1) & (groups.max() - groups.min() + 1 == groups.size())
    distinct = not table.duplicated().any()
    return bool(distinct and (counted.mean() > 0.7 or speaks_of(column.name, "place")))
