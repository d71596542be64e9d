"""Explain why no column of the interactions holds the ids of the items."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from m2trec_merlin.readers.canonical import KnownItems, normalise_ids
from m2trec_merlin.readers.near_ids import explain_unknown
from m2trec_merlin.shares import percent
from m2trec_merlin.starting.item_ids import BY_CHANCE, GAPS, MET
from m2trec_merlin.starting.look import Column, Look
from m2trec_merlin.starting.names import speaks_of
from m2trec_merlin.starting.several import rows_of_several

#: The most ids compared with all items.
_COMPARED = 5


def explain_strangers(events: Look, items: Look) -> str:
    """Explain why no ids connect two tables: other notations of ids, or several rows per item."""
    log, described = events.path.name, items.path.name
    reasons = list(dict.fromkeys(_reasons(events, items)))
    why = f"{'; '.join(reasons)}." if reasons else "are both the right files, and the ids written alike?"
    return (
        f"no column of {log} holds ids from a column of {described} that has one for each item: {why} "
        f"In {log} {_shown(events)}. In {described} {_shown(items)}"
    )


def _reasons(events: Look, items: Look) -> Iterator[str]:
    """Yield reasons from pairs of columns that are named alike, or both like items."""
    yield from rows_of_several(events, items).values()
    yield from (f"{look.path.name} holds one row" for look in (events, items) if look.rows == 1)
    found: list[tuple[bool, int, str]] = []
    for clicked in _named(events):
        ids = normalise_ids(clicked.values).dropna()
        for column in sorted(items.columns.values(), key=lambda column: column.name != clicked.name):
            if column.is_list or column.is_time or not _are_called_alike(clicked, column):
                continue
            met, reason = _reason(clicked, ids, column, KnownItems(items.ids(column.name)))
            if reason:
                found.append((speaks_of(clicked.name, "item"), met, reason))
            if met:
                break  # the ids match here, so no other column needs to be compared
    # A category or a vendor may stand in both tables, and is not what connects them.
    likeliest = max((rank for *rank, _ in found), default=None)
    yield from (reason for *rank, reason in found if rank == likeliest)


def _reason(clicked: Column, ids: pd.Series, column: Column, known: KnownItems) -> tuple[int, str]:
    """Return how many ids two columns share, if most of them, and why these are not the ids; else ""."""
    found = known.positions(ids)
    is_known, pair = found >= 0, f"'{clicked.name}' and '{column.name}'"
    if len(found) and is_known.mean() > MET:
        met = len(np.unique(found[is_known]))
        if column.gaps >= GAPS and column.is_unique:
            lacking = f"{percent(column.gaps)} of rows have no '{column.name}'"
            return met, f"{pair} hold the same, but {lacking}: leave these out, or give each item an id"
        if not column.is_unique and len(column.texts) > 1:
            rows = len(column.texts) / max(column.distinct, 1)
            return met, (
                f"{pair} hold the same, but an item has {rows:.1f} rows: write one for each; where a row "
                "holds one property of an item, give each property a column (pivot_table in pandas)"
            )
    elif is_known.any() and is_known.mean() <= BY_CHANCE and column.is_unique and clicked.name != column.name:
        return 0, f"{pair} meet in {percent(is_known.mean())} of events, as numbers do by chance"
    elif not is_known.any() and (near := explain_unknown(ids.iloc[:_COMPARED], known.ids)):
        return 0, f"{pair} are written otherwise: {near}"
    return 0, ""


def _named(look: Look) -> list[Column]:
    columns = (c for c in look.columns.values() if not c.is_list and not c.is_time and len(c.texts))
    return [column for column in columns if not speaks_of(column.name, "quantity", "time")]


def _are_called_alike(clicked: Column, described: Column) -> bool:
    one, other = clicked.name.strip().lower(), described.name.strip().lower()
    return one == other or (speaks_of(one, "item") and speaks_of(other, "item", "code"))


def _shown(look: Look) -> str:
    columns = [c for c in look.columns.values() if c.distinct > 1 or speaks_of(c.name, "item")]
    readable = [f"'{column.name}' has {column.examples(2)}" for column in columns[:8]]
    return "; ".join([*readable, *(f"'{name}': {why}" for name, why in look.unreadable.items())])
