"""Find sessions whose rows are sorted by item, which says nothing about the order of the events."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pandas as pd

from m2trec_merlin.column_names import ITEM_ID, POSITION, TIMESTAMP
from m2trec_merlin.data.item_order import ItemOrder
from m2trec_merlin.readers.canonical import KnownItems, normalise_ids
from m2trec_merlin.starting.choice import ChosenKind
from m2trec_merlin.starting.item_ids import ItemIds
from m2trec_merlin.starting.look import Column, Look
from m2trec_merlin.starting.order import Order
from m2trec_merlin.starting.sessions import Grouping


def shuffled_if_sorted(
    order: Order, events: Look, items: Look, ids: ItemIds, grouping: Grouping, choices: Iterable[ChosenKind]
) -> Order:
    """Return an order that shuffles what no time tells apart, if that is sorted by item; else the same one.

    Args:
        order: the order of the events of a session, as it was found.
        events: the interactions.
        items: the items.
        ids: the columns of item ids.
        grouping: how events become sessions.
        choices: the choices for columns of the items, of which those that are used may sort sessions.
    """
    described = {c.column.name: _values(c.column) for c in choices if c.kind and not c.column.is_list}
    table = pd.DataFrame(described).assign(**{ITEM_ID: items.ids(ids.described)})
    table = table.dropna(subset=[ITEM_ID]).drop_duplicates(ITEM_ID)
    counted = ItemOrder(table, KnownItems(table[ITEM_ID]))
    counted.add(_events(order, events, ids, grouping))
    found = counted.sorted_by(ids.clicked)
    if found is None:
        return order
    reason = f"{found}, which is hardly what happened: such events are shuffled"
    if order.times is None:
        return Order(None, None, reason, unsure=True, shuffle=True)
    return replace(order, reason=f"{order.reason}; {reason}", unsure=True, shuffle=True)


def _events(order: Order, events: Look, ids: ItemIds, grouping: Grouping) -> pd.DataFrame:
    """Return the first rows as canonical events, sorted by session and by what orders these."""
    session = events.columns[grouping.column].values
    table = pd.DataFrame({"session": session, ITEM_ID: normalise_ids(events.columns[ids.clicked].values)})
    keys = ["session"]
    if order.times is not None:
        table[TIMESTAMP] = order.times.times
        keys.append(TIMESTAMP)
    elif order.column is not None:
        table["place"] = _values(events.columns[order.column])
        keys.append("place")
    # Rows spread over the rest of the table are not next to each other there.
    table = table.iloc[: events.first].dropna()
    table["session"] = table["session"].astype(str)
    table = table.sort_values(keys, kind="stable")
    return table.assign(**{POSITION: table.groupby("session").cumcount()})


def _values(column: Column) -> pd.Series:
    """Return the values of a column, as numbers if they are."""
    known = column.texts if column.numbers is None else column.numbers
    return known.reindex(column.values.index)
