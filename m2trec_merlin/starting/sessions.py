"""Find how events become sessions, and the column that names the splits."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal

import pandas as pd
from pandas.core.groupby import SeriesGroupBy

from m2trec_merlin.errors import DataError
from m2trec_merlin.readers.canonical import SPLITS
from m2trec_merlin.readers.user_sessions import may_be_many
from m2trec_merlin.shares import counted, percent
from m2trec_merlin.starting.event_times import names_users
from m2trec_merlin.starting.look import Column, Look
from m2trec_merlin.starting.measures import holds_amounts
from m2trec_merlin.starting.names import speaks_of
from m2trec_merlin.starting.places import counts_events
from m2trec_merlin.starting.times import Times

#: Pauses that may end a session. The first is chosen that leaves enough events in sessions.
_GAPS = ("30 min", "1 h", "12 h", "7 days")
_BETWEEN_DAYS = pd.Timedelta("12 h")
#: Share of events that cutting must leave in sessions of at least two.
_ENOUGH = 0.5
_WHOLE = "all that a user did is one session"
_LAST = "mostly published with data.split kind leave_one_out, evaluation.prefixes last"
#: A column belongs to items if an item has fewer distinct values on average.
_OF_ITEMS = 1.2
#: Share of events (in sessions of at least two) with several users in their session, above which to report
#: it.
_SHARED = 0.02
#: Share of events alone in their session above which users may make better sessions than orders.
_MANY_ALONE = 0.3
#: Share of sessions that last half a day or more above which their numbers may start again each day.
_OVER_DAYS = 0.3
#: A name of one word, as customer and not customerType, and the values of a mark.
_WORD, _YES_OR_NO = r"[A-Z]?[a-z]+|[A-Z]+", 2
#: An IP address, version 4 or 6.
_ADDRESS = r"\d{1,3}(\.\d{1,3}){3}|[0-9a-fA-F]{0,4}(:[0-9a-fA-F]{0,4}){3,7}"
#: Of sessions of so many events and more, most have a last event held out, if that is how they are split; and
#: of those with one, all but this share.
_LONG_ENOUGH, _MOST, _SLIPS = 4, 0.5, 0.02
#: Other names of splits.
_CALLED_SPLITS = r"(?i)train(ing)?|test(ing)?|val(id(ation)?)?|dev|eval(uation)?"


@dataclass(frozen=True)
class Grouping:
    """How events become sessions: by a column, or from users and times.

    Attributes:
        column: name of the column of sessions, or of users.
        gap: the pause that ends a session; None if each value of the column is one session.
        reason: the reason for the choice.
        unsure: whether a person should check it.
        split: the kind of split that the column of splits tells of these sessions; None if it divides them
            otherwise, or there is none.
    """

    column: str
    gap: str | None
    reason: str
    unsure: bool = False
    split: Literal["column", "leave_one_out"] | None = None


def find_split(events: Look) -> str | None:
    """Return the name of the column of splits, if there is one."""
    for column in events.columns.values():
        named = set() if column.is_list else set(column.counts.index)
        if not column.gaps and {"train", "test"} <= named <= set(SPLITS):
            return column.name
    return None


def nearly_splits(events: Look) -> Iterator[str]:
    """Yield a doubt for each column that seems to hold splits under other names."""
    for column in events.columns.values():
        if not column.is_list and column.distinct > 1 and column.share(_CALLED_SPLITS) == 1:
            yield (
                f"'{column.name}' has {column.examples(5)}: if these are splits, call them "
                f"{', '.join(SPLITS)}; as they are, other sessions are held out"
            )


def find_grouping(events: Look, times: list[Times], taken: set[str], named: str | None) -> Grouping:
    """Return how the events become sessions, and how these are split if a column tells it.

    Args:
        events: the events.
        times: the columns of times, the best first.
        taken: names of columns that are neither sessions nor users.
        named: the name of the column of splits, if there is one.

    Raises:
        DataError: no column has values that repeat like sessions or users.
    """
    grouping = _find_grouping(events, times, taken)
    if named is None:
        return grouping
    column, split = events.columns[grouping.column], events.columns[named].texts
    if _leaves_one_out(split, column, times):
        doubts = [*_of_many(column)]
        reason = _joined(f"{_sizes(column)}; '{named}' holds out the last event of each", doubts)
        return Grouping(column.name, None, reason, bool(doubts), "leave_one_out")
    is_whole = split.groupby(_sessions(grouping, column, times)).nunique().max() == 1
    return replace(grouping, split="column" if is_whole else None)


def _leaves_one_out(split: pd.Series, column: Column, times: list[Times]) -> bool:
    """Tell whether the last event of each value of a column is held out, and perhaps the one before it."""
    place = times[0].times.rank() if times else pd.Series(split.index, split.index)
    named = split.astype(pd.CategoricalDtype([*SPLITS]))  # so that each session has a row for each of them
    table = pd.DataFrame({"session": column.values, "split": named, "place": place}).dropna()
    found = table.groupby(["session", "split"], observed=False)["place"].agg(["size", "min", "max"]).unstack()
    size, first, last = found["size"], found["min"], found["max"]
    held = size["test"] > 0
    fits = (size["test"] == 1) & (size["train"] > 0) & (size["valid"] <= 1)
    for before, after in combinations(SPLITS, 2):
        fits &= ~(last[before] > first[after])
    long = table["session"].value_counts().reindex(size.index) >= _LONG_ENOUGH
    return bool(held[long].mean() > _MOST and fits[held].mean() > 1 - _SLIPS)


def _sessions(grouping: Grouping, column: Column, times: list[Times]) -> pd.Series:
    """Return what is equal in the events of a session, by row."""
    if grouping.gap is None:
        return column.values
    return _numbered(_pauses(column.values, times[0]), grouping.gap)


def _pauses(users: pd.Series, times: Times) -> pd.Series:
    """Return the time since the event before of the same user, users in turn; NaT for the first of each."""
    table = pd.DataFrame({"user": users, "time": times.times}).dropna().sort_values(["user", "time"])
    return table["time"].diff().where(table["user"] == table["user"].shift())


def _numbered(pauses: pd.Series, gap: str) -> pd.Series:
    """Number the sessions that end where more than `gap` passes, by row."""
    return (~(pauses <= pd.Timedelta(gap))).cumsum()


def _find_grouping(events: Look, times: list[Times], taken: set[str]) -> Grouping:
    items = [events.columns[name] for name in taken if name in events.columns]
    taken = taken | {each.column for each in times}
    groups = [c for name, c in events.columns.items() if name not in taken and _groups(c)]
    # Names like those of sessions, such as "order", also occur in names of amounts and times.
    groups = [c for c in groups if not holds_amounts(c) and not _tells_time(c)]
    users = [c for c in groups if names_users(c)]
    # Addresses do not identify users: many share one, and a user may have several.
    users = [c for c in users if c.share(_ADDRESS) < _ENOUGH] or users
    named = [c for c in groups if speaks_of(c.name, "session")]
    named = [c for c in named if not _counts_within(c, users, named, times)]
    again = {c.name: other for c in named if (other := _begins_again_in(c, users))}
    if sessions := [c for c in named if c.name not in again]:
        most = max(c.distinct for c in sessions)
        # Prefer many values: the city or channel of a session has few.
        chosen = max(
            sessions, key=lambda c: ("sess" in c.name.lower() and c.distinct > most / 10, c.distinct)
        )
        others = [c for n, c in events.columns.items() if n not in taken and c is not chosen]
        venues = [c for c in others if speaks_of(c.name, "venue") and not c.is_list]
        venues = [c for c in venues if not _is_of_items(c, items)]
        doubts = [*_doubts(chosen, users, venues, times)]
        reason = _joined(f"{_sizes(chosen)}, and is called like a session", doubts)
        return Grouping(chosen.name, None, reason, unsure=bool(doubts))
    if users:
        grouping = _cut(max(users, key=lambda c: c.distinct), times)
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
    chosen = max(groups, key=lambda c: (_side_by_side(c) > 0.3, c.distinct))
    if times and _longest(chosen, times[0]) > pd.Timedelta("1 day"):
        return _cut(chosen, times)
    reason = f"{_sizes(chosen)}; no column is called like a session"
    return Grouping(chosen.name, None, _joined(reason, _of_many(chosen)), unsure=True)


def _doubts(sessions: Column, users: list[Column], venues: list[Column], times: list[Times]) -> Iterator[str]:
    """Yield what speaks against a column of sessions."""
    over_days = _over_days(sessions, times[0]) if times else 0.0
    if over_days > _OVER_DAYS:
        yield (
            f"{percent(over_days)} of sessions of two and more have events half a day apart: if "
            f"'{sessions.name}' begins again each day, write the day and it into one column"
        )
    alone = _alone(sessions)
    if users and alone > _MANY_ALONE:
        user = max(users, key=lambda c: c.distinct).name
        yield f"{percent(alone)} of events are alone in theirs: data.sessions can cut those of '{user}'"
    if venue := _begins_again_in(sessions, venues):
        yield _write_both(sessions.name, venue)
    for each in users:
        if (share := _share_of_several(sessions, each)) > _SHARED:
            yield (
                f"{percent(share)} of events are in sessions of several '{each.name}': if '{sessions.name}' "
                "begins again with each, write both into one column"
            )
    yield from _of_many(sessions)


def _joined(reason: str, doubts: Iterable[str]) -> str:
    return "; ".join([reason, *doubts])


def _counts_within(column: Column, users: list[Column], named: list[Column], times: list[Times]) -> bool:
    """Tell whether a column counts the events of each user or session, as the order of clicks does."""
    # Of a table of orders and lines, the orders count the first lines as well.
    sessions = [other for other in named if other.distinct > column.distinct]
    earliest = next(iter(times), None)
    return any(counts_events(column, c.head, earliest) for c in [*users, *sessions])


def _begins_again_in(column: Column, others: list[Column]) -> str | None:
    """Return a column for each of whose values the numbers of sessions start again, or None."""
    return next((other.name for other in others if _share_of_several(column, other) > 0.5), None)


def _share_of_several(column: Column, other: Column) -> float:
    """Return the share of events in sessions of two or more whose session has several values of `other`."""
    found = _values_of_each(column, other).agg(["size", "nunique"])
    found = found[found["size"] > 1]
    return float(found["size"][found["nunique"] > 1].sum() / max(found["size"].sum(), 1))


def _is_of_items(column: Column, items: list[Column]) -> bool:
    """Tell whether a column follows from the item, for instance if each shop sells its own items."""
    return any(_values_of_each(item, column).nunique().mean() < _OF_ITEMS for item in items)


def _values_of_each(one: Column, other: Column) -> SeriesGroupBy:
    """Group the values of one column in the first events by the value of another column."""
    table = pd.DataFrame({"one": one.head_texts, "other": other.head_texts}).dropna()
    return table.groupby("one")["other"]


def _write_both(name: str, other: str) -> str:
    return f"'{name}' begins again within each '{other}': write both into one column"


def _tells_time(column: Column) -> bool:
    return speaks_of(column.name, "time") and not speaks_of(column.name, "code")


def _groups(column: Column) -> bool:
    """Tell whether a column may name sessions or users: many values, enough of them in several rows."""
    if column.is_list or column.is_time or column.gaps > 0.5 or column.distinct < 2:
        return False
    counts = column.head_texts.value_counts()
    several = counts[counts > 1].sum() / max(counts.sum(), 1)
    few = len(counts) <= 20 and counts.mean() > 50
    # A shop may have few customers, in a column of their numbers; marks, such as member: 1, name none.
    is_named = speaks_of(column.name, "user", "session") and speaks_of(column.name, "code")
    is_coded = re.fullmatch(_WORD, column.name) and column.are_codes and column.distinct > _YES_OR_NO
    return bool(several > 0.3 and (is_named or (names_users(column) and is_coded) or not few))


def _alone(column: Column) -> float:
    """Return the share of events that are the only one with their value."""
    counts = column.head_texts.value_counts()
    return float((counts == 1).sum() / max(counts.sum(), 1))


def _side_by_side(column: Column) -> float:
    values = column.head_texts.to_numpy()
    return float((values[1:] == values[:-1]).mean()) if len(values) > 1 else 0.0


def _sizes(column: Column) -> str:
    return f"{column.distinct:,} values in {len(column.texts):,} rows looked at"


def _longest(column: Column, times: Times) -> pd.Timedelta:
    """Return the median time from the first to the last event of a value; see `_spans`."""
    return pd.Timedelta(_spans(column, times).median())


def _over_days(column: Column, times: Times) -> float:
    """Return the share of values whose first and last event are at least half a day apart; see `_spans`."""
    spans = _spans(column, times)
    return float((spans >= pd.Timedelta("12 h")).mean()) if len(spans) else 0.0


def _spans(column: Column, times: Times) -> pd.Series:
    """Return the time from the first to the last event of each value with several events."""
    found = times.times.reindex(column.head.index).groupby(column.head).agg(["min", "max", "size"])
    found = found[found["size"] > 1]
    return found["max"] - found["min"]


def _cut(user: Column, times: list[Times]) -> Grouping:
    if not times:
        reason = f"{_sizes(user)}; {_WHOLE}, as there are no times to cut it; {_LAST}"
        return Grouping(user.name, None, reason, unsure=True)
    # A pause is as long as the times can tell; but what happened on two days are two sessions.
    gaps = [gap for gap in _GAPS if pd.Timedelta(gap) >= min(times[0].step, _BETWEEN_DAYS)]
    pauses = _pauses(user.head, times[0])
    for gap in gaps:
        sizes = _numbered(pauses, gap).value_counts()
        share = sizes[sizes > 1].sum() / max(len(pauses), 1)
        if share >= _ENOUGH:
            company = f"{percent(share)} of events are in sessions of two and more"
            reason = f"no column names sessions; cut where more than {gap} pass, {company}"
            reason += f", {sizes[sizes > 1].mean():.1f} on average"
            return Grouping(user.name, gap, _joined(reason, _of_many(user)), unsure=True)
    reason = f"{_sizes(user)}; {_WHOLE}, as even pauses of {gaps[-1]} are common; {_LAST}"
    return Grouping(user.name, None, _joined(reason, _of_many(user)), unsure=True)


def _of_many(column: Column) -> Iterator[str]:
    """Yield a doubt about a value that may stand for many users, and one about missing values."""
    values = column.head
    counts = values.value_counts()
    if len(counts) and may_be_many(counts.iloc[0], counts.sum(), len(counts)):
        yield (
            f"{percent(counts.iloc[0] / counts.sum())} of events are of {counts.index[0]!r}: if guests share "
            "it, leave these out, or give each guest another"
        )
    if missing := int(values.isna().sum()):
        have = counted(missing, "event has", "events have")
        yield f"{have} none, which the data step refuses: leave these out, or give them one"
