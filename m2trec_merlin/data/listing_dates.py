"""Since when items are listed (`data.listed`): checked with the items, kept as a canonical column."""

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
    """Note what is wrong with the dates of an items table, or if there are no events to compare them with.

    Args:
        items: as the source gives it.
        dates: which column it is, and how it is written.
        events: where the interactions come from.
        names: of all columns of the items.
        log: takes the problems.
    """
    if dates.column not in items:
        log.add(describe_missing_column(dates.column, names, "data.listed names"))
    else:
        known = items[dates.column][items[dates.column].notna()]
        unread = parse_timestamps(known, dates.time_format).isna().to_numpy()
        blank = (known.astype(str).str.strip() == "").to_numpy()
        what = "cannot be read as a time (data.listed)"
        hint = "data.listed.time_format tells how times are written"
        log.add_rows(dates.column, what, known, unread & ~blank, hint)
    if TIMESTAMP not in events.columns:
        log.add(
            "data.listed is compared with the times of events, and there are none: let data.columns.order "
            "name a column of dates (or of Unix time, with data.options.time_format: s)"
        )


def doubt_of_listing_dates(items: pd.DataFrame, dates: ListingDates, file: str) -> list[str]:
    """Tell that dates are hardly meant so.

    Args:
        items: canonical, see `with_listing_dates`.
        dates: which column it is, and how it is written.
        file: that the items come from.
    """
    doubt = doubt_of_unit(items[LISTED].max(), dates.time_format, "data.listed.time_format")
    return [f"{file}, column '{dates.column}': {doubt}"] if doubt else []


def with_listing_dates(items: pd.DataFrame, raw: pd.DataFrame, dates: ListingDates) -> pd.DataFrame:
    """Return canonical items with the times, datetime64[us], since when they are listed; NaT where unknown.

    Args:
        items: canonical.
        raw: the same items as the source gives them, valid.
        dates: which column it is, and how it is written.
    """
    times = parse_timestamps(raw[dates.column], dates.time_format).to_numpy()
    return items.assign(**{LISTED: times})
