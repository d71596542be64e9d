"""Find the column of the items that says since when they are listed, if there is one."""

from __future__ import annotations

import re
from collections.abc import Iterable

from m2trec_merlin.starting.choice import ChosenKind
from m2trec_merlin.starting.look import Column
from m2trec_merlin.starting.names import speaks_of
from m2trec_merlin.starting.times import Times, times_of

#: Names of such columns, in English and German, and names of other times.
_LISTED = re.compile(
    r"list(ed|ing)|releas|launch|publish|added|available|online|creat|introduc|since|first"
    r"|erschein|angelegt|verf(ü|ue)gbar|ver(ö|oe)ffentlich|seit(?![a-z])"
)
_OTHER = re.compile(r"until|end(?![a-z])|expir|last|birth|unavail|discontin|bis(?![a-z])")
#: The least share of events that come after their item was listed.
_AFTER = 0.95
#: Share of events above which dates that equal the item's first event were taken from the events.
_FROM_EVENTS = 0.9


def find_listing(
    choices: Iterable[ChosenKind], described: Column, clicked: Column, events: Times | None
) -> Times | None:
    """Return the dates of listing; None if no column holds any, or events come before them.

    Args:
        choices: the choices for columns of the items.
        described: the column of ids of the items.
        clicked: the column of item ids in the kept events.
        events: the times of the events; None if unknown.
    """
    if events is None:
        return None
    for choice in choices:
        name = choice.column.name.lower()
        is_other = _OTHER.search(name) or speaks_of(name, "change")
        if choice.kind is not None or not _LISTED.search(name) or is_other:
            continue
        dates = times_of(choice.column)
        # The data step refuses dates that cannot be read.
        if dates is None or dates.times[choice.column.texts.index].isna().any():
            continue
        listed = dates.times[described.texts.index].set_axis(described.texts).groupby(level=0).first()
        told = clicked.texts.map(listed).dropna()
        happened = events.times[told.index].dropna()
        after = happened >= told[happened.index]
        if not len(after) or after.mean() < _AFTER:
            continue
        first = happened.groupby(clicked.texts[happened.index]).transform("min")
        # Dates that were taken from the events would reveal when items will sell.
        first = first.dt.normalize() if dates.are_days else first
        if (first == told[happened.index]).mean() < _FROM_EVENTS:
            return dates
    return None
