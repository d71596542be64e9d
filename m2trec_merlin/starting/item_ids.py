"""Which columns hold the ids of items: those of both tables whose values meet."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from m2trec_merlin.readers.canonical import KnownItems, normalise_ids
from m2trec_merlin.starting.look import Column, Look
from m2trec_merlin.starting.names import speaks_of


@dataclass(frozen=True)
class ItemIds:
    """The columns that hold ids of items.

    Attributes:
        clicked: in the interactions.
        described: in the items.
        known: share of events whose item has a row.
        are_unique: whether hardly an item has two rows.
    """

    clicked: str
    described: str
    known: float
    are_unique: bool


def find_item_ids(clicks: Look, items: Look) -> ItemIds | None:
    """Return the columns of both tables whose values are the same ids; None if there are none."""
    candidates = [c for c in items.columns.values() if not c.is_list and not c.is_time and c.distinct > 1]
    # Titles are often unique, too, and long to read.
    unique = [c for c in candidates if c.is_unique and c.gaps < 0.02 and c.words < 2]
    nearly = [c for c in candidates if c.distinct > 0.5 * len(c.values)]
    known = {c.name: KnownItems(items.ids(c.name)) for c in unique or nearly}
    for tier in _tiers(clicks):
        best = None
        for clicked in tier:
            ids = normalise_ids(clicked.values).dropna()
            for described, index in known.items():
                found = index.positions(ids)
                met, share = len(np.unique(found[found >= 0])), float((found >= 0).mean())
                score = met * share**2 * (4 if clicked.name.lower() == described.lower() else 1)
                if met and (best is None or score > best[0]):
                    best = score, ItemIds(clicked.name, described, share, bool(unique))
        if best is not None:
            return best[1]
    return None


def without_header(clicks: Look, items: Look, ids: ItemIds) -> list[str]:
    """Say which table begins with a row: what its column of ids is called is an id."""
    known = {*clicks.columns[ids.clicked].texts, *items.columns[ids.described].texts}
    found = []
    for look, name in ((clicks, ids.clicked), (items, ids.described)):
        is_numbered = list(look.columns) == [str(number) for number in range(len(look.columns))]
        # Names without a digit stand between the rows of files that were put together.
        if name in known and re.search(r"\d", name) and not is_numbered:
            names = ", ".join(map(repr, look.columns))
            found.append(
                f"{look.path}: its first line is a row: {names}; put the names of the columns above it"
            )
    return found


def _tiers(clicks: Look) -> list[list[Column]]:
    """Return the columns that may hold ids of items, by what their names say.

    Numbers of sessions, positions and the like meet ids by chance: they are asked only if no column is called
    like an item.
    """
    columns = [c for c in clicks.columns.values() if not c.is_list and not c.is_time and len(c.texts)]
    named = [c for c in columns if speaks_of(c.name, "item")]
    others = [c for c in columns if speaks_of(c.name, "session", "user", "time", "place", "quantity")]
    neutral = [c for c in columns if c not in named and c not in others]
    return [named, neutral] if named else [neutral, others]
