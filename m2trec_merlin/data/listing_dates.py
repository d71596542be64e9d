"""Check the dates since when items are listed (`data.listed`), and make a canonical column of them."""

from __future__ import annotations

import pandas as pd

from m2trec_merlin.column_names import LISTED, TIMESTAMP
from m2trec_merlin.data.time_checks import doubt_of_unit
from m2trec_merlin.readers.problems import ProblemLog, describe_missing_column
from m2trec_merlin.readers.settings import ListingDates
from m2trec_merlin.readers.source import Origin
from m2trec_merlin.readers.times import parse_timestamps


def check_listing_dates(
    items: pd.DataFrame, dates: ListingDates, events: Origin, names: list[str], log: ProblemLog
) -> None:
    """Log problems of the dates in an items table, and a lack of times of events to compare them with.

    Args:
        items: the items table from the source.
        dates: the settings of the dates: their column and format.
        events: the origin of the interactions.
        names: names of all columns of the items.
        log: the log of problems.
    """
    if dates.column not in items:
        log.add(describe_missing_column(dates.column, names, "data.listed names"))
    else:
        known = items[dates.column][items[dates.column].notna()]
        unread = parse_timestamps(known, dates.time_format).isna().to_numpy()
        blank = (known.astype(str).str.strip() == "").to_numpy()
        what = "cannot be read as a time (data.listed)"
        hint = (
            "data.listed.time_format tells how times are written; the years 1678 to 2261 can be read, and an "
            "empty field is no date"
        )
        log.add_rows(dates.column, what, known, unread & ~blank, hint)
    if TIMESTAMP not in events.columns:
        log.add(
            "data.listed is compared with the times of events, and there are none: let data.columns.order "
            "name a column of dates (or of Unix time, with data.options.time_format: s)"
        )


def doubt_of_listing_dates(items: pd.DataFrame, dates: ListingDates, file: str) -> list[str]:
    """Return a warning if all dates are implausibly early, else an empty list.

    Args:
        items: the canonical items, from `with_listing_dates`.
        dates: the settings of the dates.
        file: name of the file of items.
    """
    doubt = doubt_of_unit(items[LISTED].max(), dates.time_format, "data.listed.time_format")
    return [f"{file}, column '{dates.column}': {doubt}"] if doubt else []


def with_listing_dates(items: pd.DataFrame, raw: pd.DataFrame, dates: ListingDates) -> pd.DataFrame:
    """Add a column with the time since when each item is listed, datetime64[us]; NaT if unknown.

    Args:
        items: the canonical items.
        raw: the same items from the source, valid.
        dates: the settings of the dates.
    """
    times = parse_timestamps(raw[dates.column], dates.time_format).to_numpy()
    return items.assign(**{LISTED: times})
