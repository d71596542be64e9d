"""Numbers of the items that follow how often these occur in the events, as counts of sales and reviews do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pandas as pd

from m2trec_merlin.starting.choice import ChosenKind
from m2trec_merlin.starting.look import Column

#: Rank correlation from which on a number is hardly something else than a count of the events.
_FOLLOWS = 0.8
#: Items that both are known of, at least.
_ENOUGH = 30


def counts_of_events(choices: Iterable[ChosenKind], described: Column, clicked: Column) -> Iterator[str]:
    """Say which attributes may have been counted from what is to be predicted.

    Args:
        choices: for columns of the items.
        described: their ids.
        clicked: the ids in the events that are looked at.
    """
    events = described.texts.map(clicked.counts).fillna(0)
    for choice in choices:
        numbers = choice.column.numbers if choice.kind == "numeric" else None
        if numbers is None:
            continue
        known = pd.DataFrame(
            {"value": pd.Series(numbers, choice.column.texts.index), "events": events}
        ).dropna()
        both = known.rank()
        # Of a rank of sales the lowest is the best.
        alike = both["value"].corr(both["events"]) if both.nunique().min() > 2 else 0.0
        if len(known) >= _ENOUGH and abs(alike) > _FOLLOWS:
            yield (
                f"'{choice.column.name}' follows how many events an item has: if it was counted up to today, "
                "it knows what validation and test hold; leave it out, or count up to the split"
            )
