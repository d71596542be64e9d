"""Rows of the interactions that hold several events: lists of items, such as a history or a basket."""

from __future__ import annotations

import pandas as pd

from m2trec_merlin.columns import to_arrow
from m2trec_merlin.readers.canonical import KnownItems, normalise_ids
from m2trec_merlin.starting.look import Column, Look
from m2trec_merlin.starting.times import times_of

#: Rows that are looked at, and ids that a row holds at least, on average, where it holds several.
_LOOKED_AT = 2000
_SEVERAL = 1.5
#: What stands before, between and behind the values of a list that is written as text.
_MARKS = r"[\s,;|\[\](){}'\":]+"
_WHAT_TO_DO = "write a row for each, with the session beside it"


def rows_of_several(events: Look, items: Look, described: str | None = None) -> dict[str, str]:
    """Return the columns that hold several items of the other table in a row, or several events, and say so.

    Args:
        events: the interactions.
        items: the items.
        described: the column of their ids; None: not known.
    """
    names = [described] if described else [c.name for c in items.columns.values() if _may_be_ids(c)]
    known, found = [KnownItems(items.ids(name)) for name in names], {}
    for column in events.columns.values():
        values = _parts(column)
        if len(values) and any(_per_row(values, index) >= _SEVERAL for index in known):
            what = f"holds several items in a row, {column.examples(1)}: {_WHAT_TO_DO}"
            found[column.name] = f"'{column.name}' {what}"
    for name, why in events.unreadable.items():
        # A structure may be of one event; where no column holds items, they must be there.
        if described is None and "struct" in why:
            found[name] = f"'{name}' holds several events in a row: {_WHAT_TO_DO}"
    return found


def _may_be_ids(column: Column) -> bool:
    return not column.is_list and column.distinct > 0.5 * len(column.values) and column.words < 2


def _parts(column: Column) -> pd.Series:
    """Return what the values of a column consist of; the index is the row. Empty where these are single."""
    if column.is_list:
        lists = to_arrow(column.values.dropna().iloc[:_LOOKED_AT])
        flat = lists.flatten().to_pandas()
        return pd.Series(flat.to_numpy(), lists.value_parent_indices().to_numpy())
    if column.is_time or column.numbers is not None or times_of(column) is not None:
        return pd.Series(dtype=object)
    return column.texts.iloc[:_LOOKED_AT].reset_index(drop=True).str.split(_MARKS, regex=True).explode()


def _per_row(values: pd.Series, index: KnownItems) -> float:
    """Return how many known items a row holds on average."""
    return float((index.positions(normalise_ids(values)) >= 0).sum() / values.index.nunique())
