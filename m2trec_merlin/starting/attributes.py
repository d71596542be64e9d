"""What becomes of the columns of the items."""

from __future__ import annotations

from collections.abc import Sequence

from m2trec_merlin.column_names import ITEM_ID
from m2trec_merlin.starting.choice import ChosenKind
from m2trec_merlin.starting.kinds import choose_kind
from m2trec_merlin.starting.levels import without_twins
from m2trec_merlin.starting.look import Column, Look

#: Share of the characters of names that are letters, and of the items that a title tells apart.
_LETTERS, _APART = 0.6, 0.9


def choose_attributes(items: Look, ids: str) -> list[ChosenKind]:
    """Return what becomes of each column.

    Args:
        items: the items.
        ids: the column of their ids, which is an attribute only where it names them and nothing else does.
    """
    named = items.columns[ids]
    others = [column for name, column in items.columns.items() if name != ids]
    choices = without_twins([_choose(column, named) for column in others])
    if not _are_names(named) or _have_titles(choices, named):
        return choices
    if ids == ITEM_ID:
        reason = (
            "names of the items, which no attribute takes from a column of this name: rename it to use them"
        )
        return [ChosenKind(named, None, reason), *choices]
    return [ChosenKind(named, "text", "names of the items, and their ids as well"), *choices]


def _choose(column: Column, ids: Column) -> ChosenKind:
    if column.name == ITEM_ID:
        reason = f"is called as ids are here, which '{ids.name}' holds: rename it to use it"
        return ChosenKind(column, None, reason)
    return choose_kind(column, ids)


def _are_names(ids: Column) -> bool:
    """Tell whether ids are words, and not codes such as SKU-123."""
    letters, characters = ids.texts.str.count(r"[^\W\d_]").sum(), ids.texts.str.len().sum()
    return bool(letters > _LETTERS * characters and ids.share(r".*[^\W\d_]{3}.*") > _LETTERS)


def _have_titles(choices: Sequence[ChosenKind], ids: Column) -> bool:
    """Tell whether a text says what each item is called."""
    return any(choice.is_title and choice.column.distinct > _APART * ids.distinct for choice in choices)
