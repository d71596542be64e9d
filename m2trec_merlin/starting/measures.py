"""Columns that measure something, and so name no item, no session and nobody."""

from __future__ import annotations

import pandas as pd

from m2trec_merlin.starting.amounts import with_decimal_commas
from m2trec_merlin.starting.look import Column
from m2trec_merlin.starting.names import speaks_of


def numbers_of(column: Column) -> pd.Series | None:
    """Return the known values as float64, by a decimal point or else by a decimal comma; None for texts."""
    return with_decimal_commas(column) if column.numbers is None else column.numbers


def holds_amounts(column: Column) -> bool:
    """Tell whether a column holds amounts: under a name that speaks of them, or with fractions."""
    numbers = numbers_of(column)
    has_fractions = numbers is not None and bool((numbers % 1).any())
    if speaks_of(column.name, "quantity", "sum"):
        return has_fractions or not speaks_of(column.name, "code")  # as a StockCode is one
    # Google Analytics calls users by two numbers with a point between them, and shops write 100.123, too.
    return has_fractions and not speaks_of(column.name, "code", "user")
