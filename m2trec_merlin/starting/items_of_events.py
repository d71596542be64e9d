"""Find the items in a single table of events: the column of their ids, and the columns that describe them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from m2trec_merlin.errors import DataError, name_first
from m2trec_merlin.readers.first_rows import usual_rows
from m2trec_merlin.starting.events import FLAGS, MARK
from m2trec_merlin.starting.levels import is_fixed_by, rank_correlation
from m2trec_merlin.starting.look import Column, Look
from m2trec_merlin.starting.measures import holds_amounts
from m2trec_merlin.starting.names import speaks_of

#: The fewest repetitions of items needed to tell which columns belong to items.
_ENOUGH = 50
#: A column belongs to items if rows agree with the first row of their item (0 is chance, 1 is always) to this
#: degree, or numbers have this rank correlation with it. So prices, which change, do; quantities do not.
_AGREES, _FOLLOWS = 0.7, 0.8
#: Numbers of which the greatest is more than so many times the median are mostly small.
_SKEWED = 10
#: A column of ids has values in more rows than this share of none, or of the same.
_MOST = 0.5
#: Share of events with the most frequent name of their id, but for misspelt and new ones.
_USUAL = 0.9
#: Columns of yes and no that may all describe events.
_FEW = 10


def look_at_items(events: Look) -> Look:
    """Return a look at the items: one kept row per item, chosen as by the reader, with the ids first.

    If items have no ids, as in many logs of baskets, their names serve as ids.

    Raises:
        DataError: no column can be identified as ids or names of items.
    """
    named = _named(events)
    found = [
        (speaks_of(ids.name, "item"), len(described), ids.distinct, ids.name, described)
        for ids in events.columns.values()
        if _may_be_ids(ids)
        and not (named and _are_of_several(ids, named))
        and (described := _described_by(ids, events))
    ]
    if not found and named:
        found = [(True, 0, named.distinct, named.name, _described_by(named, events))]
    if not found and (flags := _flags(events)):
        problem = (
            f"{events.path}: a column seems to stand for an item, and to say yes or no in each row, such as "
            f"{flags}: write a row for each yes, with the session, or the number of the row, and the name of "
            "the column (pandas.melt)"
        )
        raise DataError(str(events.path), [problem])
    if not found:
        shown = name_first([*events.columns], repr)
        problem = (
            f"{events.path}: a table of the items is needed beside it, a row for each with its id and what "
            f"describes it. This one does not say it: of its columns ({shown}) none is called like ids of "
            "items or their names, comes back, and has the same beside it then, such as a title or a category"
        )
        problem += "".join(f"; '{name}' cannot be read: {why}" for name, why in events.unreadable.items())
        raise DataError(str(events.path), [problem])
    *_, name, described = max(found)
    names = [name, *described]
    rows = usual_rows(pd.DataFrame({each: events.columns[each].values for each in names}), name)
    columns = {each: Column(each, rows[each]) for each in names}
    return replace(events, rows=len(rows), first=len(rows), columns=columns, unreadable={})


def _flags(events: Look) -> str:
    """Name the columns that say yes or no, if nearly all do, as in a table of baskets; else return ""."""
    flags = [column.name for column in events.columns.values() if _says_yes_or_no(column)]
    return name_first(flags, repr) if len(flags) > max(_USUAL * len(events.columns), _FEW) else ""


def _says_yes_or_no(column: Column) -> bool:
    """Tell whether a column holds yes, no or both; where only one of them is written, gaps are the other."""
    said = {*column.counts.index.str.lower()}
    return bool(said) and any(said <= flags for flags in (*FLAGS, MARK))


def finer_than_items(events: Look, items: Look, grouping: str, used: set[str]) -> list[Column]:
    """Return the columns that may be the items of a single table instead of those that were found.

    They come back, tell more apart, and differ within sessions. Ids that are called those of items are
    believed; beside others that are called like items, such as names, what should describe these is told.

    Args:
        events: the interactions.
        items: the items in them, with the ids first.
        grouping: the column of sessions or users.
        used: the columns of times and splits.
    """
    ids, session = events.columns[next(iter(items.columns))], events.columns[grouping].texts
    is_item = speaks_of(ids.name, "item")
    if is_item and speaks_of(ids.name, "code") and not speaks_of(ids.name, "category"):
        return []
    found = [
        column
        for name, column in events.columns.items()
        if name not in used
        and name not in items.columns
        and not (column.is_list or column.is_time or holds_amounts(column) or _are_skewed(column))
        and not speaks_of(name, "session", "user", "time", "place")
        and ids.distinct < column.distinct <= len(column.texts) / 2
        and not is_fixed_by(session, column.texts)
    ]
    if is_item and not any(speaks_of(column.name, "item", "category", "title") for column in found):
        return []
    return found


def _are_skewed(column: Column) -> bool:
    """Tell whether a column holds numbers that are mostly small, as counts are, and is not called a code."""
    if column.numbers is None or speaks_of(column.name, "item", "code", "category"):
        return False
    return bool(column.numbers.min() >= 0 and column.numbers.max() > _SKEWED * np.median(column.numbers))


def _may_be_ids(column: Column) -> bool:
    is_item = speaks_of(column.name, "item") and not speaks_of(column.name, "category")
    return (
        not column.is_list
        and not column.is_time
        and not holds_amounts(column)
        and (is_item or (speaks_of(column.name, "code") and _differ(column)))
        and not speaks_of(column.name, "session", "user", "time")
        and column.distinct > 1
        and column.words < 2
    )


def _differ(column: Column) -> bool:
    """Tell whether most rows have values, and not all the same, such as -1 for none."""
    return column.gaps < _MOST and column.distinct > 0 and column.counts.iloc[0] < _MOST * len(column.values)


def _named(events: Look) -> Column | None:
    """Return the column of item names, if a column is named so and its values repeat."""
    names = [
        column
        for column in events.columns.values()
        if not (column.is_list or column.is_time or column.numbers is not None or holds_amounts(column))
        and speaks_of(column.name, "item")
        and not speaks_of(column.name, "session", "user", "time", "code", "category", "event", "sort")
        and 1 < column.distinct <= len(column.texts) / 2
        and column.share(r".*[^\W\d_]{3}.*") > _AGREES
    ]
    return max(names, key=lambda column: column.distinct, default=None)


def _are_of_several(ids: Column, named: Column) -> bool:
    """Tell whether items of several names have one id, as those of a category do."""
    if speaks_of(ids.name, "item") and speaks_of(ids.name, "code") and not speaks_of(ids.name, "category"):
        return False  # an id of a product is one, also where its names are those of sizes or languages
    pairs = pd.DataFrame({"id": ids.texts, "name": named.texts}).dropna().value_counts()
    usual = pairs.groupby(level="id").max().sum() / max(pairs.sum(), 1)
    return named.distinct > ids.distinct and bool(usual < _USUAL)


def _described_by(ids: Column, events: Look) -> list[str]:
    """Return the names of the columns that belong to items, given the column of ids."""
    first = ids.texts.drop_duplicates()
    first_row = ids.texts.map(pd.Series(first.index, first.to_numpy()))
    first_row = first_row[first_row.index != first_row]
    return [
        column.name
        for column in events.columns.values()
        if column is not ids
        and not column.is_list
        and not speaks_of(column.name, "session", "user")
        and _belongs(column, first_row)
    ]


def _belongs(column: Column, first_row: pd.Series) -> bool:
    """Tell whether rows agree with the first row of their item, beyond chance.

    Args:
        column: a column of the events.
        first_row: number of the first row of the item, for each row that is not the first one itself.
    """
    own, first = column.texts.reindex(first_row.index), column.texts.reindex(first_row).to_numpy()
    pairs = pd.DataFrame({"own": own, "first": first}).dropna()
    if len(pairs) < _ENOUGH or column.distinct < 2:
        return False
    by_chance = float(((column.counts / column.counts.sum()) ** 2).sum())
    agreement = (float((pairs["own"] == pairs["first"]).mean()) - by_chance) / (1 - by_chance)
    if agreement >= _AGREES or column.numbers is None:
        return agreement >= _AGREES
    return rank_correlation(pairs["own"], pairs["first"]) >= _FOLLOWS
