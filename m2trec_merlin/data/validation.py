"""Check both raw tables completely, and report all their problems at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from m2trec_merlin.attributes import Attribute
from m2trec_merlin.attributes.raw_values import are_lists
from m2trec_merlin.column_names import ITEM_ID
from m2trec_merlin.config import Config
from m2trec_merlin.contract.names import LONGEST_ID
from m2trec_merlin.data.interaction_checks import InteractionChecker, check_ids
from m2trec_merlin.data.listing_dates import check_listing_dates, doubt_of_listing_dates, with_listing_dates
from m2trec_merlin.data.tables import canonical_items
from m2trec_merlin.errors import DataError
from m2trec_merlin.readers import Origin, Source
from m2trec_merlin.readers.canonical import KnownItems
from m2trec_merlin.readers.files.table_file import is_ignored
from m2trec_merlin.readers.near_ids import AlikeIds
from m2trec_merlin.readers.near_ids import doubt_of_items as doubt_of_ids
from m2trec_merlin.readers.problems import ProblemLog, describe_missing_column


@dataclass(frozen=True)
class ValidData:
    """The result of validating data without errors.

    Attributes:
        items: the canonical items table.
        known_items: look-up of the ids of items.
        sessions: number of sessions that are long enough to be kept.
        events: number of events of these sessions.
        short_sessions: number of sessions below `data.min_session_length`, which will be left out.
        notices: warnings for the user.
    """

    items: pd.DataFrame
    known_items: KnownItems
    sessions: int
    events: int
    short_sessions: int
    notices: list[str]


def validate(source: Source, config: Config) -> ValidData:
    """Check all data of a source against the configuration.

    Raises:
        DataError: anything is wrong; `problems` lists every problem with the first offending rows.
    """
    problems: list[str] = [*_results_among_data(config)]
    # Without item ids, events cannot be looked up; everything else is still checked.
    items = ids = None
    dates = config.data.listed
    try:
        items = source.items(columns_read(config))
        log = ProblemLog(source.items_origin)
        ids = check_items(items, log, config.attributes, config.serving.title_column)
        if dates is not None:
            check_listing_dates(items, dates, source.interactions_origin, _names(items, log), log)
        problems += log.messages()
    except DataError as error:
        problems += error.problems
    known = None if ids is None else KnownItems(ids)
    checker = InteractionChecker(source, config, known)
    try:
        for chunk in source.interactions():
            checker.check(chunk)
        problems += checker.finish(source.notices)
    except DataError as error:
        problems += error.problems
    if problems or items is None or known is None:
        raise DataError(source.name, list(dict.fromkeys(problems)))
    canonical = canonical_items(items, config.attributes, config.serving.title_column)
    if dates is not None:
        canonical = with_listing_dates(canonical, items, dates)
    return ValidData(
        canonical,
        known,
        checker.sessions,
        checker.events,
        checker.short_sessions,
        [
            *source.notices,
            *doubts_of_items(items, known.ids, config.attributes, source.items_origin),
            *_empty_columns(items, config.attributes, source.items_origin),
            *(
                doubt_of_listing_dates(canonical, dates, Path(source.items_origin.label).name)
                if dates
                else ()
            ),
            *checker.notices(),
        ],
    )


def _results_among_data(config: Config) -> Iterator[str]:
    """Yield a problem for each folder of the source that contains the results of this run.

    The next run would read these results as data.
    """
    results = config.directory.resolve()
    for name in config.data.tables:
        folder: Path | None = getattr(config.data, name)
        if folder is None or not folder.is_dir() or not results.is_relative_to(folder.resolve()):
            continue
        if not any(map(is_ignored, results.relative_to(folder.resolve()).parts)):
            yield (
                f"{folder}: the results of this run, in {config.directory}, would be read as {name} the next "
                "time: set work_dir to a folder elsewhere"
            )


def columns_read(config: Config) -> list[str]:
    """Return the raw columns of the items that a configuration reads, except the ids."""
    title = [] if config.serving.title_column is None else [config.serving.title_column]
    dates = [] if config.data.listed is None else [config.data.listed.column]
    return [*(attribute.source_column for attribute in config.attributes), *title, *dates]


def check_items(
    items: pd.DataFrame,
    log: ProblemLog,
    attributes: Sequence[Attribute],
    title_column: str | None = None,
) -> pd.Series | None:
    """Log all problems of an items table; return its ids, if it has any.

    Args:
        items: the items table from the source.
        log: the log of problems.
        attributes: the attributes, each of which needs its column, with values that suit its kind.
        title_column: the setting `serving.title_column`, a column that must exist, too.
    """
    ids = check_item_ids(items, log)
    names = _names(items, log)
    if title_column is not None and title_column not in items:
        log.add(describe_missing_column(title_column, names, "serving.title_column names"))
    elif title_column is not None:
        titles, fault = items[title_column], "is a list, and so no title (serving.title_column)"
        log.add_rows(title_column, fault, titles, are_lists(titles))
    check_attributes(items, attributes, log)
    return ids


def check_item_ids(items: pd.DataFrame, log: ProblemLog, may_repeat: bool = False) -> pd.Series | None:
    """Log problems of the ids of an items table; return the ids.

    Args:
        items: the table.
        log: receives the problems.
        may_repeat: whether an id may stand in several rows, as where nothing is said of the items.
    """
    if len(items.columns) and not len(items):
        log.add("holds no rows")
    if ITEM_ID not in items:
        names, own = _names(items, log), log.origin.column(ITEM_ID)
        log.add(describe_missing_column(own, names, "data.columns.item_id names"))
        return None
    ids = check_ids(items[ITEM_ID], ITEM_ID, log)
    if ids.dtype == object:
        long = ids.str.len() > LONGEST_ID
        log.add_rows(ITEM_ID, f"has more than {LONGEST_ID:,} letters, which no request may name", ids, long)
    if not may_repeat:
        repeated = ids.notna() & ids.duplicated()
        log.add_rows(ITEM_ID, "repeats the id of an earlier row", ids, repeated, "keep one row of each item")
    return ids


def check_attributes(items: pd.DataFrame, attributes: Sequence[Attribute], log: ProblemLog) -> None:
    """Log attributes whose column is missing, or holds values that do not suit their kind."""
    for attribute in attributes:
        column = attribute.source_column
        if column not in items:
            purpose = f"attribute '{attribute.name}' reads"
            log.add(describe_missing_column(column, _names(items, log), purpose))
            continue
        for fault in attribute.column_faults(items[column][items[column].notna()]):
            what = f"{fault.what} (attribute '{attribute.name}')"
            log.add_rows(column, what, fault.values, fault.wrong, fault.hint)


def doubts_of_items(
    items: pd.DataFrame, ids: Iterable[object], attributes: Sequence[Attribute], origin: Origin
) -> list[str]:
    """Return warnings about ids and attributes that are valid, but probably not intended.

    Args:
        items: a valid items table, with the columns of the attributes.
        ids: its ids.
        attributes: the attributes that are read.
        origin: where the table is from.
    """
    file = Path(origin.label).name
    alike = AlikeIds()
    alike.add(ids)
    of_ids = filter(None, (doubt_of_ids(ids), alike.doubt()))
    values = {each.source_column: items[each.source_column].dropna() for each in attributes}
    doubts = ((a.source_column, doubt) for a in attributes for doubt in a.doubts(values[a.source_column]))
    return [
        *(f"{file}, column '{origin.column(ITEM_ID)}': {doubt}" for doubt in of_ids),
        *dict.fromkeys(f"{file}, column '{column}': {doubt}" for column, doubt in doubts),
    ]


def _empty_columns(items: pd.DataFrame, attributes: Sequence[Attribute], origin: Origin) -> list[str]:
    file, empty = Path(origin.label).name, "holds no value for any item"
    columns = dict.fromkeys(each.source_column for each in attributes)
    return [f"{file}, column '{column}': {empty}" for column in columns if items[column].isna().all()]


def _names(items: pd.DataFrame, log: ProblemLog) -> list[str]:
    """Return the names of all columns in the source."""
    return log.origin.available() or [log.origin.column(c) if c == ITEM_ID else c for c in items.columns]
