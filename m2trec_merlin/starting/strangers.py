"""Explain why no column of the interactions holds the ids of the items."""

from __future__ import annotations

from collections.abc import Iterator

from m2trec_merlin.readers.canonical import KnownItems, normalise_ids
from m2trec_merlin.readers.near_ids import explain_unknown
from m2trec_merlin.shares import percent
from m2trec_merlin.starting.item_ids import BY_CHANCE, MET
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
    for clicked in _named(events):
        ids = normalise_ids(clicked.values).dropna()
        for column in sorted(items.columns.values(), key=lambda column: column.name != clicked.name):
            if column.is_list or column.is_time or not _are_called_alike(clicked, column):
                continue
            known = KnownItems(items.ids(column.name))
            found = known.positions(ids) >= 0
            pair = f"'{clicked.name}' and '{column.name}'"
            if len(found) and found.mean() > MET and not column.is_unique and len(column.texts) > 1:
                rows = len(column.texts) / max(column.distinct, 1)
                yield (
                    f"{pair} hold the same, but an item has {rows:.1f} rows: write one for each; where a row "
                    "holds one property of an item, give each property a column (pivot_table in pandas)"
                )
                break  # the ids match here, so no other column needs to be compared
            elif (
                found.any() and found.mean() <= BY_CHANCE and column.is_unique and clicked.name != column.name
            ):
                yield f"{pair} meet in {percent(found.mean())} of events, as numbers do by chance"
            elif not found.any() and (near := explain_unknown(ids.iloc[:_COMPARED], known.ids)):
                yield f"{pair} are written otherwise: {near}"


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
