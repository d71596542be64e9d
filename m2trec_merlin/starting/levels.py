"""Find columns that determine or follow each other: codes of names, levels of categories, counts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from m2trec_merlin.starting.choice import ChosenKind
from m2trec_merlin.starting.look import Column
from m2trec_merlin.starting.names import speaks_of

#: The most values of a category that the model learns to predict besides the next item.
_MOST_VALUES = 5000
_MOST_TASKS = 3
#: A value that this share of items have, or more, is no task to predict.
_NEARLY_ALL = 0.9
#: What belongs to a value may be another one in at most this share of its repetitions.
_SLIPS = 0.05
#: Of the items with a value in the fuller of two columns, the share that must have values in both.
_TWINS = 0.9


def without_twins(choices: Sequence[ChosenKind]) -> list[ChosenKind]:
    """Leave out columns that say the same as another one in other values: of number and name, the number."""
    kept: list[ChosenKind] = []
    # Names come before codes, so that readable columns are kept.
    by_reading = sorted(choices, key=lambda c: c.kind == "categorical" and _is_hard_to_read(c.column))
    for choice in by_reading:
        twin = next((other for other in kept if _say_the_same(choice, other)), None)
        if twin is not None:
            reason = f"says the same as '{twin.column.name}' in other values"
            choice = ChosenKind(choice.column, None, reason)
        kept.append(choice)
    return sorted(kept, key=lambda choice: [c.column.name for c in choices].index(choice.column.name))


def _is_hard_to_read(column: Column) -> int:
    """Return 0 for names, 1 for columns named like codes, 2 for values that look like codes."""
    return 2 if column.numbers is not None or column.are_codes else int(speaks_of(column.name, "code"))


def _say_the_same(one: ChosenKind, other: ChosenKind) -> bool:
    kinds = {one.kind, other.kind}
    if kinds != {"categorical"} and not (kinds == {"text"} and one.column.texts.equals(other.column.texts)):
        return False
    if one.column.distinct != other.column.distinct or one.column.distinct < 3:
        return False
    known, also = one.column.texts.index, other.column.texts.index
    # In a few items, any two columns may agree by chance.
    if len(known.intersection(also)) < _TWINS * max(len(known), len(also)):
        return False
    return follows(one, other) and follows(other, one)


def follows(coarse: ChosenKind, fine: ChosenKind) -> bool:
    """Tell whether nearly every value of the fine column occurs with only one value of the coarse one."""
    pairs = pd.DataFrame({"fine": fine.column.texts, "coarse": coarse.column.texts}).dropna()
    seen = len(pairs.drop_duplicates())
    return len(pairs) > 0 and seen <= 1.01 * pairs["fine"].nunique()


def rank_correlation(one: pd.Series, other: pd.Series) -> float:
    """Return how much numbers rise (1) or fall (-1) with others of the same rows; 0 where either is constant.

    Args:
        one: numbers, none of them missing.
        other: as many numbers, by the same index.
    """
    ranks = pd.DataFrame({"one": one, "other": other}).astype(np.float64).rank()
    return float(ranks["one"].corr(ranks["other"])) if ranks.nunique().min() > 1 else 0.0


def is_fixed_by(owners: pd.Series, values: pd.Series) -> bool:
    """Tell whether repeated owners, such as users, nearly always have the same value, such as a birthday."""
    pairs = pd.DataFrame({"owner": owners, "value": values}).dropna()
    first, again = pairs.groupby("owner")["value"].transform("first"), pairs["owner"].duplicated()
    return bool(again.any() and (pairs["value"] == first)[again].mean() > 1 - _SLIPS)


def choose_tasks(choices: Sequence[ChosenKind]) -> list[ChosenKind]:
    """Return the categories of the next item that the model learns to predict, from coarse to fine."""
    possible = [
        choice
        for choice in choices
        if (choice.kind == "categorical" or choice.is_category)
        and 2 < choice.n_values <= _MOST_VALUES
        and choice.column.gaps < 0.3
        and (choice.is_category or not choice.unsure)
        and not choice.names_items
        and choice.column.counts.iloc[0] < _NEARLY_ALL * len(choice.column.texts)
        and choice.n_values < 0.3 * len(choice.column.values) * (1 - choice.column.gaps)
    ]
    named = [choice for choice in possible if choice.is_category]
    levels = sorted(named or possible[:1], key=lambda choice: choice.n_values)
    if len(levels) <= _MOST_TASKS:
        return levels
    # Keep the coarsest, the finest, and one level between them.
    return [levels[0], levels[len(levels) // 2], levels[-1]]
