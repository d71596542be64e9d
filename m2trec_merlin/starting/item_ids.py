"""Which columns hold the ids of items: those of both tables whose values meet."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pandas as pd

from m2trec_merlin.errors import shorten
from m2trec_merlin.readers.canonical import KnownItems, normalise_ids
from m2trec_merlin.starting.look import Column, Look
from m2trec_merlin.starting.measures import holds_amounts
from m2trec_merlin.starting.names import speaks_of

#: What numbers are that are hardly ids of items, by the names of their columns.
_OTHERS = ("session", "user", "time", "place", "quantity")
#: Values that a name is held against.
_COMPARED = 1000
#: Share of values that are ids where two columns mean the same, and up to which they are by chance.
MET, BY_CHANCE = 0.5, 0.02
#: Share of the ids that one column has from which on another one has about as many.
_AS_MANY = 0.98


@dataclass(frozen=True)
class ItemIds:
    """The columns that hold ids of items.

    Attributes:
        clicked: in the interactions.
        described: in the items.
        known: share of events whose item has a row.
        are_unique: whether hardly an item has two rows.
        rivals: other columns of the items in which the same ids stand in other rows.
    """

    clicked: str
    described: str
    known: float
    are_unique: bool
    rivals: tuple[str, ...] = ()

    @property
    def is_sure(self) -> bool:
        """Whether they are hardly ids by chance."""
        return self.are_unique and (self.known > MET or self.clicked == self.described)


def find_item_ids(events: Look, items: Look) -> ItemIds | None:
    """Return the columns of both tables whose values are the same ids; None if there are none."""
    candidates = [c for c in items.columns.values() if not c.is_list and not c.is_time and c.distinct > 1]
    # Titles are often unique, too, and long to read.
    unique = [c for c in candidates if c.is_unique and c.gaps < 0.02 and c.words < 2]
    nearly = [c for c in candidates if c.distinct > 0.5 * len(c.values)]
    read = cache(items.ids)
    known = {c.name: KnownItems(read(c.name)) for c in unique or nearly}
    chosen: ItemIds | None = None
    for tier in _tiers(events, items):
        # A few values are ids by chance, too: another tier may know most of its own.
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


def _against(
    chosen: ItemIds, rivals: list[Column], clicked: Column, read: Callable[[str], pd.Series]
) -> ItemIds:
    """Return ids with the columns of the items that hold them as well, each in other rows.

    Such numbers count the lines of the table. A column that is called like an item and has several rows of
    each is that of the ids rather than one that is not: then an item has several rows.
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
    # What counts lines is no rival of what is called like an item.
    trust = _trust(chosen.clicked, chosen.described)
    return replace(chosen, rivals=tuple(c.name for c in found if 2 * _trust(chosen.clicked, c.name) >= trust))


def _groups(name: str) -> bool:
    """Tell whether a column is called like users or sessions, and not like items."""
    return not speaks_of(name, "item") and (speaks_of(name, "user") or "sess" in name.lower())


def _are_grouped_beside(events: Look, ids: str) -> bool:
    """Tell whether another column than that of ids is called like users or sessions."""
    return any(name != ids and speaks_of(name, "user", "session") for name in events.columns)


def _pairs(clicked: Column, known: dict[str, KnownItems], items: Look) -> Iterator[tuple[float, ItemIds]]:
    """Yield a score and the ids for each column of the items that a column of the interactions meets."""
    is_item = speaks_of(clicked.name, "item")
    if is_item and clicked.name in items.columns and clicked.name not in known:
        return  # the same column has several rows an item: another one meets it by chance
    ids, is_shared = normalise_ids(clicked.values).dropna(), _is_shared(clicked, items)
    for described, index in known.items():
        found = index.positions(ids)
        met, share = len(np.unique(found[found >= 0])), float((found >= 0).mean())
        is_same = clicked.name.lower() == described.lower()
        is_strange = _groups(clicked.name) != _groups(described) or speaks_of(clicked.name, *_OTHERS)
        is_told = is_item or (is_same and is_shared)
        if is_strange and not is_told and clicked.share(r"\d+(\.0)?") > MET > met / len(index):
            continue  # small numbers are ids by chance
        if met and (is_same or share > BY_CHANCE):
            score = met * share**2 * _trust(clicked.name, described)
            yield score, ItemIds(clicked.name, described, share, True)


def _trust(clicked: str, described: str) -> int:
    """Return how much sooner a column of the items holds the ids of another one, by their names."""
    if clicked.lower() == described.lower():
        return 8
    if speaks_of(described, "item"):
        return 4
    # Numbers of lines, and ranks.
    return 1 if speaks_of(described, "place") or re.match(r"(?i)unnamed|$", described) else 2


def _lines_of(ids: pd.Series, column: pd.Series) -> np.ndarray:
    """Return in which line a column has each id first, int64; -1 where it does not have it."""
    known = column.dropna().drop_duplicates()
    lines = np.append(known.index.to_numpy(), -1)
    return lines[KnownItems(known).positions(ids)]


def without_header(events: Look, items: Look, ids: ItemIds | None) -> list[str]:
    """Say which table begins with a row: what its column of ids is called is an id.

    Args:
        events: the interactions.
        items: the items.
        ids: the columns of ids; None: none meet, and a name that is written as the values below it tells.
    """
    found = []
    for look in (events, items):
        is_numbered = list(look.columns) == [str(number) for number in range(len(look.columns))]
        if ids is None:
            is_row = any(_is_written_like(name, column) for name, column in look.columns.items())
        else:
            name = ids.clicked if look is events else ids.described
            known = {*events.columns[ids.clicked].texts, *items.columns[ids.described].texts}
            # Names without a digit stand between the rows of files that were put together.
            is_row = name in known and re.search(r"\d", name) is not None
        if is_row and not is_numbered:
            names = ", ".join(repr(shorten(name, 40)) for name in [*look.columns, *look.unreadable])
            found.append(
                f"{look.path}: its first line is a row: {names}; put the names of the columns above it"
            )
    return found


def _is_written_like(name: str, column: Column) -> bool:
    """Tell whether letters, digits and marks follow each other in a name as in most values of its column."""
    texts = pd.Series([name, *column.texts.iloc[:_COMPARED]], dtype=object)
    shapes = texts.str.replace(r"\d+", "9", regex=True).str.replace(r"[^\W\d_]+", "a", regex=True)
    return (
        "9" in shapes.iloc[0] and len(shapes) > 1 and bool((shapes.iloc[1:] == shapes.iloc[0]).mean() > 0.9)
    )


def _tiers(events: Look, items: Look) -> list[list[Column]]:
    """Return the columns that may hold ids of items, by what their names say.

    Numbers of sessions, positions and the like meet ids by chance: they are asked only if no column is called
    like an item. Amounts are never asked.
    """
    columns = [c for c in events.columns.values() if not c.is_list and not c.is_time and len(c.texts)]
    columns = [c for c in columns if c.numbers is None or not holds_amounts(c)]
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
