"""Convert raw tables to canonical ones, which `readers.canonical` describes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pandas as pd

from m2trec_merlin.arrays import is_in_order, places_in_lists
from m2trec_merlin.attributes import Attribute
from m2trec_merlin.column_names import ITEM_ID, POSITION, SESSION_ID, SPLIT, TIMESTAMP
from m2trec_merlin.columns import of_one_type
from m2trec_merlin.data.event_columns import EventColumns
from m2trec_merlin.ids import numbered
from m2trec_merlin.readers.canonical import KnownItems, id_values, normalise_ids
from m2trec_merlin.readers.positions import order_keys, parse_positions
from m2trec_merlin.readers.times import ISO_8601, parse_instants, to_microseconds


def order_events(
    raw: pd.DataFrame, items: KnownItems, time_format: str = ISO_8601, more: EventColumns | None = None
) -> pd.DataFrame:
    """Turn a valid chunk of a source into canonical interactions.

    Events are sorted within their session by position, or else by timestamp (in nanoseconds, although the
    result keeps microseconds), or else keep their order. Ties and sessions keep the order of the source.

    Args:
        raw: whole sessions, each with adjacent events: session_id, item_id and, if the source has them,
            position, timestamp and split.
        items: the known items; item ids of the result have their type.
        time_format: the format of timestamps.
        more: the further columns of events to convert.
    """
    events = pd.DataFrame(
        {
            SESSION_ID: id_values(normalise_ids(raw[SESSION_ID])),
            ITEM_ID: items.ids[items.positions(normalise_ids(raw[ITEM_ID]))],
        }
    )
    if TIMESTAMP in raw:
        instants = parse_instants(raw[TIMESTAMP], time_format)
        events[TIMESTAMP] = to_microseconds(instants).to_numpy()
    if SPLIT in raw:
        events[SPLIT] = raw[SPLIT].to_numpy(object)
    for name, values in (more.canonical(raw) if more else {}).items():
        events[name] = values.array
    session, _ = numbered(events[SESSION_ID])
    place = None
    if POSITION in raw:
        place = order_keys(parse_positions(raw[POSITION]))
    elif TIMESTAMP in raw:
        place = instants.to_numpy()
    # Most sources are in order already, and this check takes a fortieth of the time to sort.
    if not is_in_order(session, session if place is None else place):
        keys = [np.arange(len(events)), *([] if place is None else [place]), session]
        events = events.iloc[np.lexsort(keys)].reset_index(drop=True)
    events.insert(2, POSITION, places_in_lists(np.bincount(session)))
    for name, values in (more.derive(events) if more else {}).items():
        events[name] = values
    return events


def canonical_items(
    raw: pd.DataFrame, attributes: Sequence[Attribute], title_column: str | None = None
) -> pd.DataFrame:
    """Turn a valid items table into the canonical one: typed ids first, values converted by their attributes.

    A column that several attributes read, or an attribute and the title, stays as it is: 007 may be a number
    and a name.
    """
    items = raw.reset_index(drop=True)
    items[ITEM_ID] = id_values(normalise_ids(raw[ITEM_ID]))
    readers = Counter([*(attribute.source_column for attribute in attributes), title_column])
    for attribute in attributes:
        if readers[attribute.source_column] == 1:
            items[attribute.source_column] = attribute.canonical(items[attribute.source_column])
    for name in items.select_dtypes(object):
        items[name] = of_one_type(items[name])
    return items[[ITEM_ID, *(c for c in items.columns if c != ITEM_ID)]]
