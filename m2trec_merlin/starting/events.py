"""Find columns of the interactions that distinguish events, some of which should perhaps not count."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from m2trec_merlin.config.files import write_value
from m2trec_merlin.shares import percent
from m2trec_merlin.starting.look import Column
from m2trec_merlin.starting.names import speaks_of
from m2trec_merlin.starting.times import times_of

#: Pairs of values that mean yes or no.
FLAGS = ({"0", "1"}, {"true", "false"}, {"yes", "no"}, {"y", "n"}, {"t", "f"}, {"ja", "nein"}, {"j", "n"})
#: The value of a mark; where it is missing, the mark is not set.
MARK = {"x"}
_FEW = 20
#: A negative amount with any decimal mark; SAP writes the minus last.
_NEGATIVE = r"[-\u2212]\s*\d.*|\d[\d.,]*\s*[-\u2212]"


def taken_back(columns: Iterable[Column]) -> Iterator[str]:
    """Yield a doubt for each column with negative amounts, such as those of returned goods."""
    for column in columns:
        if speaks_of(column.name, "quantity") and 0 < (share := column.share(_NEGATIVE)) < 1:
            kept = f"set data.keep: [{{column: {write_value(column.name)}, at_least: 0}}]"
            remedy = "filter the file" if column.numbers is None else kept
            yield (
                f"'{column.name}' is below 0 in {percent(share)} of events: if these were cancelled or "
                f"returned, {remedy}, or they count as others do"
            )


def told_apart(columns: Iterable[Column]) -> Iterator[str]:
    """Yield a hint for each column that holds the kind of an event, a yes or no, or a rating."""
    for column in columns:
        # A type of device or of customer is none of the event.
        is_sort = speaks_of(column.name, "sort") and not speaks_of(column.name, "user")
        named = is_sort or speaks_of(column.name, "event", "opinion")
        values = {*column.counts.index.str.lower()}
        is_mark = values == MARK and column.gaps > 0
        is_few = 1 < column.distinct <= _FEW and (named or values in FLAGS)
        if is_mark or (is_few and times_of(column) is None):
            yield (
                f"'{column.name}' has {column.examples(_FEW)}: if only some should be predicted, name them "
                "in data.targets; if only some should count, in data.keep"
            )
