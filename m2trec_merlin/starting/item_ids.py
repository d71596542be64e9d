"""Find the columns of item ids: a column of each table, which have values in common."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pandas as pd

from m2trec_merlin.errors import shorten
from m2trec_merlin.readers.canonical import KnownItems, normalise_ids
from m2trec_merlin.starting.levels import is_fixed_by
from m2trec_merlin.starting.look import Column, Look
from m2trec_merlin.starting.measures import holds_amounts, numbers_of
from m2trec_merlin.starting.names import speaks_of

#: Subjects of names of columns whose numbers are hardly ids of items.
_OTHERS = ("session", "user", "time", "place", "quantity")
#: The most values that a name is compared with.
_COMPARED = 1000
#: Share of rows without a value from which on a column does not hold the ids of its table.
GAPS = 0.02
#: Shares of common values: above the first, two columns hold the same ids; up to the second, by chance.
MET, BY_CHANCE = 0.5, 0.02
#: A whole number, also where the gaps of its column have made a float of it.
_DIGITS = r"\d+(\.0)?"
#: A column has about as many ids as another one if it has at least this share of them.
_AS_MANY = 0.98


@dataclass(frozen=True)
class ItemIds:
    """The columns that hold ids of items.

    Attributes:
        clicked: name of the column in the interactions.
        described: name of the column in the items.
        known: share of events whose item has a row.
        are_unique: whether nearly all items have a single row.
        rivals: names of other columns of the items that hold the same ids, but in other rows.
    """

    clicked: str
    described: str
    known: float
    are_unique: bool
    rivals: tuple[str, ...] = ()

    @property
    def is_sure(self) -> bool:
        """Whether these are ids beyond coincidence."""
        return self.are_unique and (self.known > MET or self.clicked == self.described)


def find_item_ids(events: Look, items: Look) -> ItemIds | None:
    """Return the columns of both tables that hold the same ids; None if there are none."""
    candidates = [c for c in items.columns.values() if not c.is_list and not c.is_time and c.distinct > 1]
    # Titles are often unique, too, but have several words.
    unique = [c for c in candidates if c.is_unique and c.gaps < GAPS and c.words < 2]
    nearly = [c for c in candidates if c.distinct > 0.5 * len(c.values)]
    read = cache(items.ids)
    known = {c.name: KnownItems(read(c.name)) for c in unique or nearly}
    chosen: ItemIds | None = None
    for tier in _tiers(events, items):
        # A few values may be ids by chance, while most values of a column in another tier are ids.
        if chosen is not None and (chosen.known > MET or speaks_of(chosen.clicked, "item")):
            break
        pairs = [pair for clicked in tier for pair in _pairs(clicked, known, items)]
        best = max(pairs, key=lambda pair: pair[0])[1] if pairs else None
        if best is not None and (chosen is None or best.known > MET):
            chosen = best
    if chosen is None or (_groups(chosen.clicked) and not _are_grouped_beside(events, chosen.clicked)):
        return None
    chosen = replace(chosen, are_unique=bool(unique))
    if chosen.clicked == chosen.described:
        return chosen
    rivals = [c for c in candidates if c in unique or speaks_of(c.name, "item")]
    return _against(chosen, rivals, events.columns[chosen.clicked], read)


def ids_beside(events: Look, items: Look, own_ids: str, known: KnownItems) -> list[str]:
    """Return the columns of the events with ids of other items than the event's, such as that of the next.

    What follows from the item, such as the id of its family, is no other item, nor is that of a variant, from
    which the item follows. Numbers are ids by chance, unless they are named like items and as different.

    Args:
        events: the events.
        items: the items.
        own_ids: the name of the column of the events with the id of the item itself.
        known: the ids of the items.
    """
    clicked = events.columns[own_ids]
    own, found = _met(clicked, known), []
    for column in (c for tier in _tiers(events, items) for c in tier if c is not clicked):
        met = _met(column, known)
        pairs = pd.DataFrame({"own": own, "met": met[met >= 0]}).dropna()
        is_named = speaks_of(column.name, "item") and not speaks_of(column.name, *_OTHERS, "category")
        if (
            (is_named or column.share(_DIGITS) < MET)
            and len(pairs) > MET * len(met)
            and (pairs["own"] != pairs["met"]).mean() > MET
            and pairs["met"].nunique() > MET * own.nunique()
            and not is_fixed_by(pairs["own"], pairs["met"])
            and not is_fixed_by(pairs["met"], pairs["own"])
        ):
            found.append(column.name)
    return found


def _met(column: Column, known: KnownItems) -> pd.Series:
    """Return the position of each id of a column in the known ones, by row; -1 if it is none of them."""
    ids = normalise_ids(column.values).dropna()
    return pd.Series(known.positions(ids), ids.index)


def _against(
    chosen: ItemIds, rivals: list[Column], clicked: Column, read: Callable[[str], pd.Series]
) -> ItemIds:
    """Compare the chosen column of the items with rivals, which hold the same ids in other rows.

    Such rivals may just number the rows of the table. But a rival that is named like an item and repeats its
    ids replaces a chosen column that is not named so: then items have several rows.
    """
    ids = normalise_ids(clicked.values.drop_duplicates()).dropna()
    own, found = _lines_of(ids, read(chosen.described)), []
    for rival in rivals:
        others = _lines_of(ids, read(rival.name))
        as_many = (others >= 0).sum() >= _AS_MANY * (own >= 0).sum()
        if rival.name != chosen.described and as_many and (others != own)[own >= 0].mean() > 1 - _AS_MANY:
            found.append(rival)
    called = [c.name for c in found if not c.is_unique]
    if called and not speaks_of(chosen.described, "item"):
        return replace(chosen, described=called[0], are_unique=False)
    # A column that numbers rows is no rival of a column that is named like an item.
    trust = _trust(chosen.clicked, chosen.described)
    return replace(chosen, rivals=tuple(c.name for c in found if 2 * _trust(chosen.clicked, c.name) >= trust))


def _groups(name: str) -> bool:
    """Tell whether a column is named like users or sessions, and not like items."""
    return not speaks_of(name, "item") and (speaks_of(name, "user") or "sess" in name.lower())


def _are_grouped_beside(events: Look, ids: str) -> bool:
    """Tell whether a column other than the ids is named like users or sessions."""
    return any(name != ids and speaks_of(name, "user", "session") for name in events.columns)


def _pairs(clicked: Column, known: dict[str, KnownItems], items: Look) -> Iterator[tuple[float, ItemIds]]:
    """Yield the score and ids of each pair of a column of the interactions and one of the items."""
    is_item = speaks_of(clicked.name, "item")
    if is_item and clicked.name in items.columns and clicked.name not in known:
        return  # the column of the same name repeats its ids, so any other match is a coincidence
    ids, is_shared = normalise_ids(clicked.values).dropna(), _is_shared(clicked, items)
    for described, index in known.items():
        found = index.positions(ids)
        met, share = len(np.unique(found[found >= 0])), float((found >= 0).mean())
        is_same = clicked.name.lower() == described.lower()
        is_strange = _groups(clicked.name) != _groups(described) or speaks_of(clicked.name, *_OTHERS)
        is_told = is_item or (is_same and is_shared)
        if is_strange and not is_told and clicked.share(_DIGITS) > MET > met / len(index):
            continue  # small numbers are ids by chance
        if met and (is_same or share > BY_CHANCE):
            score = met * share**2 * _trust(clicked.name, described)
            yield score, ItemIds(clicked.name, described, share, True)


def _trust(clicked: str, described: str) -> int:
    """Return a weight for a pair of columns to hold the same ids, judged by their names."""
    if clicked.lower() == described.lower():
        return 8
    if speaks_of(described, "item"):
        return 4
    # Numbers of rows, and ranks.
    return 1 if speaks_of(described, "place") or re.match(r"(?i)unnamed|$", described) else 2


def _lines_of(ids: pd.Series, column: pd.Series) -> np.ndarray:
    """Return the first row of each id in a column, int64; -1 if it is not there."""
    known = column.dropna().drop_duplicates()
    lines = np.append(known.index.to_numpy(), -1)
    return lines[KnownItems(known).positions(ids)]


def without_header(events: Look, items: Look, ids: ItemIds | None) -> list[str]:
    """Return a problem for each table without a header, where the name of the id column is itself an id.

    Args:
        events: the interactions.
        items: the items.
        ids: the columns of ids; if None, a name written like the values of its column shows a lack of header.
    """
    found = []
    for look in (events, items):
        is_numbered = list(look.columns) == [str(number) for number in range(len(look.columns))]
        if ids is None:
            is_row = any(_is_written_like(name, column) for name, column in look.columns.items())
        else:
            name = ids.clicked if look is events else ids.described
            known = {*events.columns[ids.clicked].texts, *items.columns[ids.described].texts}
            # Names without a digit are headers that stand between the rows of concatenated files.
            is_row = name in known and re.search(r"\d", name) is not None
        if is_row and not is_numbered:
            names = ", ".join(repr(shorten(name, 40)) for name in look.file.columns())
            found.append(
                f"{look.path}: its first line is a row: {names}; put the names of the columns above it"
            )
    return found


def _is_written_like(name: str, column: Column) -> bool:
    """Tell whether a name has the same pattern of letters, digits and marks as most values of its column."""
    texts = pd.Series([name, *column.texts.iloc[:_COMPARED]], dtype=object)
    shapes = texts.str.replace(r"\d+", "9", regex=True).str.replace(r"[^\W\d_]+", "a", regex=True)
    return (
        "9" in shapes.iloc[0] and len(shapes) > 1 and bool((shapes.iloc[1:] == shapes.iloc[0]).mean() > 0.9)
    )


def _tiers(events: Look, items: Look) -> list[list[Column]]:
    """Return the columns that may hold ids of items, grouped by their names, the likeliest first.

    Numbers of sessions, positions and the like match ids by chance: they are considered only if no column
    is named like an item. Amounts are never considered.
    """
    columns = [c for c in events.columns.values() if not c.is_list and not c.is_time and len(c.texts)]
    columns = [c for c in columns if numbers_of(c) is None or not holds_amounts(c)]
    named = [c for c in columns if speaks_of(c.name, "item")]
    shared = [c for c in columns if c not in named and _is_shared(c, items)]
    others = [c for c in columns if c not in shared and speaks_of(c.name, *_OTHERS)]
    neutral = [c for c in columns if c not in named and c not in shared and c not in others]
    return [[*named, *shared], neutral] if named else [shared, neutral, others]


def _is_shared(column: Column, items: Look) -> bool:
    """Tell whether a column that comes back is called as one of the items is, and as codes are: event_id."""
    return (
        column.name.lower() in (name.lower() for name in items.columns)
        and speaks_of(column.name, "code")
        and not speaks_of(column.name, "session", "user", "time")
        and not column.is_unique
    )
