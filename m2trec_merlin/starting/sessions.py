"""What makes the events of a table a session, what orders them, and what splits the sessions."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pandas as pd
from pandas.core.groupby import SeriesGroupBy

from m2trec_merlin.errors import DataError
from m2trec_merlin.readers.canonical import SPLITS
from m2trec_merlin.shares import percent
from m2trec_merlin.starting.look import Column, Look
from m2trec_merlin.starting.names import speaks_of
from m2trec_merlin.starting.times import Times, times_of

#: A pause after which a session is over, from the shortest; the first that leaves most events in sessions.
_GAPS = ("30 min", "1 h", "12 h", "7 days")
#: Share of events that a way of cutting must leave in sessions of at least two.
_ENOUGH = 0.5
_WHOLE = "all that a user did is one session"
_LAST = "results on such data are mostly published with data.split kind leave_one_out"
#: Share of events with the time of the one before from which on times are no order.
_TIED = 0.05
#: Share of the different times of another column from which on a column is about as fine.
_AS_FINE = 0.9
#: Values an item has on average of what follows from it.
_OF_ITEMS = 1.2
#: Share of events without company from which on users may make better sessions than orders do.
_MANY_ALONE = 0.3


@dataclass(frozen=True)
class Grouping:
    """How events become sessions: by a column, or from users and times.

    Attributes:
        column: of sessions, or of users if there is a gap.
        gap: the pause that ends a session.
        reason: why so.
        unsure: whether a person should look at it.
    """

    column: str
    gap: str | None
    reason: str
    unsure: bool = False


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


def find_split(events: Look) -> str | None:
    """Return the column that names the split, if there is one."""
    for column in events.columns.values():
        named = set() if column.is_list else set(column.counts.index)
        if not column.gaps and {"train", "test"} <= named <= set(SPLITS):
            return column.name
    return None


def find_times(events: Look, taken: set[str]) -> list[Times]:
    """Return the columns of times, the likeliest first.

    A user has a birthday or joined once, so what is always the same of a user is hardly the time of an event.
    What follows from an event, such as its delivery, is written beside it: of columns that are about as fine,
    the earliest is the event's own.
    """
    users = [c for n, c in events.columns.items() if n not in taken and not c.is_list and _names_users(c)]
    found = []
    for column in events.columns.values():
        likely = column.is_time or speaks_of(column.name, "time")
        # Ids may look like numbers since 1970, so that a number needs a name that speaks of time.
        if column.name in taken or (column.numbers is not None and not likely):
            continue
        if (times := times_of(column)) is not None:
            of_users = any(_is_fixed(times.times, user.texts) for user in users)
            found.append(((likely, column.gaps == 0, not of_users), times.times.nunique(), times))
    found.sort(key=lambda entry: entry[:2], reverse=True)
    alike: list[Times] = []
    others: list[Times] = []
    for kind, fineness, times in found:
        is_alike = kind == found[0][0] and fineness >= _AS_FINE * found[0][1]
        (alike if is_alike else others).append(times)
    return [*sorted(alike, key=lambda each: each.times.mean()), *others]


def _names_users(column: Column) -> bool:
    return speaks_of(column.name, "user") and not speaks_of(column.name, "session")


def _is_fixed(times: pd.Series, of: pd.Series) -> bool:
    """Tell whether hardly a value comes back at another time."""
    first = times.loc[of.index].groupby(of).transform("first")
    again = of.duplicated()
    return bool(again.any() and (times.loc[of.index] == first)[again].mean() > 1 - _TIED)


def find_grouping(events: Look, times: list[Times], taken: set[str]) -> Grouping:
    """Return how the events become sessions.

    Raises:
        DataError: no column repeats as that of sessions or users would.
    """
    items = [events.columns[name] for name in taken if name in events.columns]
    taken = taken | {each.column for each in times}
    groups = [c for name, c in events.columns.items() if name not in taken and _groups(c, events.first)]
    # When and how much was ordered is called after the order, too.
    groups = [c for c in groups if not _measures(c) and not _tells_time(c)]
    users = [c for c in groups if _names_users(c)]
    named = [c for c in groups if speaks_of(c.name, "session")]
    again = {c.name: other for c in named if (other := _begins_again_in(c, users, events.first))}
    sessions = [c for c in named if c.name not in again]
    if sessions:
        most = max(c.distinct for c in sessions)
        # The city or the channel of a session has few values.
        chosen = max(
            sessions, key=lambda c: ("sess" in c.name.lower() and c.distinct > most / 10, c.distinct)
        )
        reason = f"{_sizes(chosen)}, and is called like a session"
        alone = _alone(chosen, events.first)
        unsure = bool(users) and alone > _MANY_ALONE
        if unsure:
            user = max(users, key=lambda c: c.distinct).name
            reason += (
                f"; {percent(alone)} of events are alone in theirs: data.sessions can cut those of '{user}'"
            )
        venues = [
            c for n, c in events.columns.items() if n not in taken and speaks_of(n, "venue") and not c.is_list
        ]
        venues = [c for c in venues if c is not chosen and not _is_of_items(c, items, events.first)]
        if venue := _begins_again_in(chosen, venues, events.first):
            reason += f"; {_write_both(chosen.name, venue)}"
            unsure = True
        return Grouping(chosen.name, None, reason, unsure)
    if users:
        grouping = _cut(max(users, key=lambda c: c.distinct), times, events.first)
        for name, other in again.items():
            grouping = replace(grouping, reason=f"{_write_both(name, other)}; {grouping.reason}", unsure=True)
        return grouping
    if not groups:
        columns = ", ".join(f"{c.name} ({c.distinct:,} values)" for c in events.columns.values())
        problem = (
            f"{events.path}: no column groups the events into sessions: one is needed that names the session "
            f"or the user, each in several rows; there are {columns}"
        )
        raise DataError(str(events.path), [problem])
    chosen = max(groups, key=lambda c: (_side_by_side(c, events.first) > 0.3, c.distinct))
    if times and _longest(chosen, times[0], events.first) > pd.Timedelta("1 day"):
        return _cut(chosen, times, events.first)
    return Grouping(chosen.name, None, f"{_sizes(chosen)}; no column is called like a session", unsure=True)


def _begins_again_in(column: Column, others: list[Column], first: int) -> str | None:
    """Return the column within whose values numbers of sessions begin again; None if they do not."""
    for other in others:
        several = _values_of_each(column, other, first).agg(["size", "nunique"])
        several = several[several["size"] > 1]
        if several["size"][several["nunique"] > 1].sum() > several["size"].sum() / 2:
            return other.name
    return None


def _is_of_items(column: Column, items: list[Column], first: int) -> bool:
    """Tell whether a value follows from the item, as where each shop sells its own."""
    return any(_values_of_each(item, column, first).nunique().mean() < _OF_ITEMS for item in items)


def _values_of_each(one: Column, other: Column, first: int) -> SeriesGroupBy:
    """Return the values of another column in the first events, by the value beside them."""
    table = pd.DataFrame({"one": one.texts, "other": other.texts}).loc[: first - 1].dropna()
    return table.groupby("one")["other"]


def _write_both(name: str, other: str) -> str:
    return f"'{name}' begins again within each '{other}': write both into one column"


def _measures(column: Column) -> bool:
    """Tell whether a column holds amounts: numbers under a name that speaks of them, or with fractions."""
    if column.numbers is None:
        return False
    return column.whole_numbers is None or speaks_of(column.name, "quantity")


def _tells_time(column: Column) -> bool:
    return speaks_of(column.name, "time") and not speaks_of(column.name, "code")


def _groups(column: Column, first: int) -> bool:
    """Tell whether a column may name sessions or users: many values, most of them in several rows."""
    if column.is_list or column.is_time or column.gaps > 0.5 or column.distinct < 2:
        return False
    # Only of rows one after another is it known which others share their value.
    counts = column.texts.loc[: first - 1].value_counts()
    several = counts[counts > 1].sum() / max(counts.sum(), 1)
    few = len(counts) <= 20 and counts.mean() > 50
    return bool(several > 0.3 and not few)


def _alone(column: Column, first: int) -> float:
    """Return the share of events that are the only one of their value."""
    counts = column.texts.loc[: first - 1].value_counts()
    return float((counts == 1).sum() / max(counts.sum(), 1))


def _side_by_side(column: Column, first: int) -> float:
    values = column.texts.loc[: first - 1].to_numpy()
    return float((values[1:] == values[:-1]).mean()) if len(values) > 1 else 0.0


def _sizes(column: Column) -> str:
    return f"{column.distinct:,} values in {len(column.texts):,} rows looked at"


def _longest(column: Column, times: Times, first: int) -> pd.Timedelta:
    """Return the median time from the first to the last event of a value."""
    known = times.times.iloc[:first]
    spans = known.groupby(column.values.iloc[:first]).agg(["min", "max", "size"])
    spans = spans[spans["size"] > 1]
    return pd.Timedelta((spans["max"] - spans["min"]).median())


def _cut(user: Column, times: list[Times], first: int) -> Grouping:
    if not times:
        reason = f"{_sizes(user)}; {_WHOLE}, as there are no times to cut it; {_LAST}"
        return Grouping(user.name, None, reason, unsure=True)
    gaps = _GAPS[2:] if times[0].are_days else _GAPS
    table = pd.DataFrame({"user": user.values, "time": times[0].times}).iloc[:first].dropna()
    table = table.sort_values(["user", "time"])
    pauses = table["time"].diff().where(table["user"] == table["user"].shift())
    for gap in gaps:
        sessions = (~(pauses <= pd.Timedelta(gap))).cumsum()
        sizes = sessions.value_counts()
        share = sizes[sizes > 1].sum() / max(len(table), 1)
        if share >= _ENOUGH:
            company = f"{percent(share)} of events are in sessions of two and more"
            reason = f"no column names sessions; cut where more than {gap} pass, {company}"
            reason += f", {sizes[sizes > 1].mean():.1f} on average"
            return Grouping(user.name, gap, reason, unsure=True)
    reason = f"{_sizes(user)}; {_WHOLE}, as even pauses of {gaps[-1]} are common; {_LAST}"
    return Grouping(user.name, None, reason, unsure=True)


def find_order(events: Look, times: list[Times], grouping: Grouping, taken: set[str]) -> Order:
    """Return what orders the events of a session."""
    session = events.columns[grouping.column].values.iloc[: events.first]
    ties = _ties(session, times[0].times.iloc[: events.first]) if times else 1.0
    same = f"{percent(ties)} of events have the time of the one before"
    if grouping.gap is not None:
        reason, are_tied = "the times by which sessions are cut", ties > _TIED
        reason += f"; {same}, and stay in the order of the file" if are_tied else ""
        return Order(times[0].column, times[0], reason, unsure=are_tied)
    if ties <= _TIED:
        reason = "times, which also tell the last sessions from the first"
        distinct = [each.times.nunique() for each in times]
        others = [t.column for t, n in zip(times[1:], distinct[1:], strict=True) if n > distinct[0] / 2]
        if others:
            reason += f"; {', '.join(map(repr, others))} could be those of the events, too"
        return Order(times[0].column, times[0], reason, unsure=bool(others))
    for column in events.columns.values():
        if column.name not in taken | {grouping.column} and _are_places(column, session):
            if times and _rise(column, session):
                reason = f"times; {same}, and stay in the order of the file, which is that of '{column.name}'"
                return Order(times[0].column, times[0], reason)
            by_time = f"; by '{times[0].column}', {same}" if times else ""
            return Order(column.name, None, f"counts the events of a session{by_time}")
    if times:
        return Order(times[0].column, times[0], f"{same}, and stay in the order of the file", unsure=True)
    return Order(None, None, "no column of times or positions: events stay in the order of the file", True)


def _ties(session: pd.Series, times: pd.Series) -> float:
    """Return the share of events that have the time of the event before in their session."""
    table = pd.DataFrame({"session": session, "time": times}).dropna().sort_values(["session", "time"])
    same = table["session"] == table["session"].shift()
    return float((table["time"] == table["time"].shift())[same].mean()) if same.any() else 0.0


def _places(column: Column, session: pd.Series) -> pd.DataFrame:
    numbers = pd.Series(column.whole_numbers, column.texts.index)
    return pd.DataFrame({"session": session, "place": numbers}).dropna()


def _rise(column: Column, session: pd.Series) -> bool:
    """Tell whether the places of each session rise from row to row."""
    return bool(_places(column, session).groupby("session")["place"].is_monotonic_increasing.all())


def _are_places(column: Column, session: pd.Series) -> bool:
    """Tell whether a column counts the events of each session, from 0 or 1, or in any steps."""
    if column.whole_numbers is None or column.gaps:
        return False
    table = _places(column, session)
    groups = table.groupby("session")["place"]
    counted = (groups.min() <= 1) & (groups.max() - groups.min() + 1 == groups.size())
    distinct = not table.duplicated().any()
    return bool(distinct and (counted.mean() > 0.7 or speaks_of(column.name, "place")))
