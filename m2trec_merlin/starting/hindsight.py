"""Find numbers of items that were probably counted from the events, such as counts of sales or reviews."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pandas as pd

from m2trec_merlin.starting.choice import ChosenKind
from m2trec_merlin.starting.levels import rank_correlation
from m2trec_merlin.starting.look import Column

#: Rank correlation above which a number is probably a count of the events.
_FOLLOWS = 0.8
#: The fewest items with both numbers.
_ENOUGH = 30


def counts_of_events(choices: Iterable[ChosenKind], described: Column, clicked: Column) -> Iterator[str]:
    """Yield a doubt for each attribute that may have been counted from the events to predict.

    Args:
        choices: the choices for columns of the items.
        described: the column of ids of the items.
        clicked: the column of item ids in the kept events.
    """
    events = described.texts.map(clicked.counts).fillna(0)
    for choice in choices:
        # Small counts repeat, and so may pass for codes.
        numbers = choice.column.numbers if choice.kind is not None else None
        if numbers is None:
            continue
        known = pd.DataFrame({"value": numbers, "events": events}).dropna()
        varies = len(known) >= _ENOUGH and known.nunique().min() > 2
        # The correlation may be negative, as the lowest rank of sales is the best.
        if varies and abs(rank_correlation(known["value"], known["events"])) > _FOLLOWS:
            yield (
                f"'{choice.column.name}' follows how many events an item has: if it was counted up to today, "
                "it knows what validation and test hold; leave it out, or count up to the split"
            )
