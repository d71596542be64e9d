"""Columns that measure something, and so name no item, no session and nobody."""

from __future__ import annotations

from m2trec_merlin.starting.look import Column
from m2trec_merlin.starting.names import speaks_of


def holds_amounts(column: Column) -> bool:
    """Tell whether a column holds amounts: under a name that speaks of them, or with fractions."""
    has_fractions = column.numbers is not None and column.whole_numbers is None
    if speaks_of(column.name, "quantity"):
        return has_fractions or not speaks_of(column.name, "code")  # as a StockCode is one
    # Google Analytics calls users by two numbers with a point between them, and shops write 100.123, too.
    return has_fractions and not speaks_of(column.name, "code", "user")
