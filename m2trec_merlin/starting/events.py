"""Columns of the interactions that tell events apart: what may be no event at all, or none to predict."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from m2trec_merlin.shares import percent
from m2trec_merlin.starting.look import Column
from m2trec_merlin.starting.names import speaks_of

#: Values by which a column says yes or no.
_FLAGS = ({"0", "1"}, {"true", "false"}, {"yes", "no"}, {"y", "n"}, {"t", "f"})
_FEW = 20
#: An amount below nothing, with whatever decimal mark.
_NEGATIVE = r"[-\u2212]\s*\d.*"


def taken_back(columns: Iterable[Column]) -> Iterator[str]:
    """Say which columns hold amounts below nothing, such as those of returned goods."""
    for column in columns:
        if speaks_of(column.name, "quantity") and 0 < (share := column.share(_NEGATIVE)) < 1:
            yield (
                f"'{column.name}' is below 0 in {percent(share)} of events: if these were cancelled or "
                "returned, filter the file, or they count as others do"
            )


def told_apart(columns: Iterable[Column]) -> Iterator[str]:
    """Say which columns hold the kind of an event, a yes or no, or how it was rated."""
    for column in columns:
        named = speaks_of(column.name, "event", "opinion")
        if 1 < column.distinct <= _FEW and (named or {*column.counts.index.str.lower()} in _FLAGS):
            yield (
                f"'{column.name}' has {column.examples(_FEW)}: if only some should be predicted, name them "
                "in data.targets; if only some should count, filter the file"
            )
