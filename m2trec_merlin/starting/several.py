"""Find columns of the interactions with several events in a row: lists of items, such as baskets."""

from __future__ import annotations

import pandas as pd

from m2trec_merlin.columns import to_arrow
from m2trec_merlin.readers.canonical import KnownItems, normalise_ids
from m2trec_merlin.starting.look import Column, Look
from m2trec_merlin.starting.times import times_of

#: The most rows examined, and the mean number of ids per row from which on rows hold several.
_LOOKED_AT = 2000
_SEVERAL = 1.5
#: Characters before, between and after the values of a list that is written as text.
_MARKS = r"[\s,;|\[\](){}'\":]+"
_WHAT_TO_DO = "write a row for each, with the session beside it"


def rows_of_several(events: Look, items: Look, described: str | None = None) -> dict[str, str]:
    """Return a problem for each column that holds several items or events in a row, by name.

    Args:
        events: the interactions.
        items: the items.
        described: column of ids in the items; None if unknown.
    """
    names = [described] if described else [c.name for c in items.columns.values() if _may_be_ids(c)]
    known, found = [KnownItems(items.ids(name)) for name in names], {}
    for column in events.columns.values():
        values = _parts(column)
        if len(values) and any(_per_row(values, index) >= _SEVERAL for index in known):
            what = f"holds several items in a row, {column.examples(1)}: {_WHAT_TO_DO}"
            found[column.name] = f"'{column.name}' {what}"
    for name, why in events.unreadable.items():
        # A structure may describe a single event; but if no column holds items, it must contain them.
        if described is None and "struct" in why:
            found[name] = f"'{name}' holds several events in a row: {_WHAT_TO_DO}"
    return found


def _may_be_ids(column: Column) -> bool:
    return not column.is_list and column.distinct > 0.5 * len(column.values) and column.words < 2


def _parts(column: Column) -> pd.Series:
    """Return the parts of a column's values, indexed by row; empty if the values are single."""
    if column.is_list:
        lists = to_arrow(column.values.dropna().iloc[:_LOOKED_AT])
        flat = lists.flatten().to_pandas()
        return pd.Series(flat.to_numpy(), lists.value_parent_indices().to_numpy())
    if column.is_time or column.numbers is not None or times_of(column) is not None:
        return pd.Series(dtype=object)
    return column.texts.iloc[:_LOOKED_AT].reset_index(drop=True).str.split(_MARKS, regex=True).explode()


def _per_row(values: pd.Series, index: KnownItems) -> float:
    """Return the mean number of known items per row."""
    return float((index.positions(normalise_ids(values)) >= 0).sum() / values.index.nunique())
