"""The column of the items that says since when they are listed, if there is one."""

from __future__ import annotations

import re
from collections.abc import Iterable

from m2trec_merlin.starting.choice import ChosenKind
from m2trec_merlin.starting.look import Column
from m2trec_merlin.starting.times import Times, times_of

#: How such columns are called, in English and German, and what tells of another moment.
_LISTED = re.compile(
    r"list(ed|ing)|releas|launch|publish|added|available|online|creat|introduc|since|first"
    r"|erschein|angelegt|verf(ü|ue)gbar|ver(ö|oe)ffentlich|seit(?![a-z])"
)
_OTHER = re.compile(r"until|end(?![a-z])|expir|updat|modif|last|birth|unavail|discontin|bis(?![a-z])")
#: Share of the events that come after their item was listed, at least.
_AFTER = 0.95
#: Share of the events whose item was listed when it was first met that tells where the dates come from.
_FROM_EVENTS = 0.9


def find_listing(
    choices: Iterable[ChosenKind], described: Column, clicked: Column, events: Times | None
) -> Times | None:
    """Return the dates of listing; None if no column has such, or events come before them.

    Args:
        choices: for columns of the items.
        described: their ids.
        clicked: the ids in the events that are looked at.
        events: when these happened; None if nobody knows.
    """
    if events is None:
        return None
    for choice in choices:
        name = choice.column.name.lower()
        if choice.kind is not None or not _LISTED.search(name) or _OTHER.search(name):
            continue
        dates = times_of(choice.column)
        # The data step refuses what cannot be read.
        if dates is None or dates.times[choice.column.texts.index].isna().any():
            continue
        listed = dates.times[described.texts.index].set_axis(described.texts).groupby(level=0).first()
        told = clicked.texts.map(listed).dropna()
        happened = events.times[told.index].dropna()
        after = happened >= told[happened.index]
        if not len(after) or after.mean() < _AFTER:
            continue
        first = happened.groupby(clicked.texts[happened.index]).transform("min")
        # Taken from the events, it knows of items when they will sell.
        first = first.dt.normalize() if dates.are_days else first
        if (first == told[happened.index]).mean() < _FROM_EVENTS:
            return dates
    return None
