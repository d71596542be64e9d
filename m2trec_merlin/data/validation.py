"""Look at both raw tables completely, and report everything that is wrong with them at once.

Interactions are checked chunk by chunk; nothing here grows with the number of sessions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pyarrow as pa

from m2trec_merlin.attributes import Attribute
from m2trec_merlin.attributes.base import are_lists
from m2trec_merlin.columns import are_missing_words
from m2trec_merlin.config import Config
from m2trec_merlin.data.tables import canonical_items
from m2trec_merlin.errors import DataError
from m2trec_merlin.readers import Origin, Source
from m2trec_merlin.readers.canonical import (
    ITEM_ID,
    POSITION,
    SESSION_ID,
    SPLIT,
    SPLITS,
    TIMESTAMP,
    KnownItems,
    has_fractions,
    normalise_ids,
)
from m2trec_merlin.readers.near_ids import explain_unknown
from m2trec_merlin.readers.positions import parse_positions, parse_whole_numbers
from m2trec_merlin.readers.problems import SHOWN, ProblemLog, describe_missing_column
from m2trec_merlin.readers.settings import SplitByColumn, SplitByModulus, SplitByTime
from m2trec_merlin.readers.times import UNIX_UNITS, parse_instants

#: Seconds that are taken for milliseconds are of January 1970.
_UNLIKELY_BEFORE = pd.Timestamp("1990-01-01")
#: Fewer events than that may well happen twice within the unit of their times.
_NOTABLE = 0.05
#: Odd numbers that spread over 64 bits.
_FACTORS = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F), np.uint64(0x165667B19E3779F9))


@dataclass
class ValidData:
    """What a complete look at valid data found.

    Attributes:
        items: the canonical items table.
        known_items: their ids, for looking up.
        sessions: sessions long enough to be kept.
        events: events of these.
        short_sessions: sessions below `data.min_session_length`, which will be left out.
        notices: what the user should know although it is no error.
    """

    items: pd.DataFrame
    known_items: KnownItems
    sessions: int = 0
    events: int = 0
    short_sessions: int = 0
    notices: list[str] = field(default_factory=list)


def validate(source: Source, config: Config) -> ValidData:
    """Check a source against the configuration, completely.

    Raises:
        DataError: anything at all is wrong; `problems` lists every problem, with the first offending rows.
    """
    problems: list[str] = []
    items: pd.DataFrame | None = None
    try:
        items = source.items(columns_read(config))
        log = ProblemLog(source.items_origin)
        check_items(items, log, config.attributes, config.serving.title_column)
        problems += log.messages()
    except DataError as error:
        problems += error.problems
    # Without item ids there is nothing to look events up in; everything else is still checked.
    known = None if items is None or ITEM_ID not in items else KnownItems(normalise_ids(items[ITEM_ID]))
    checker = _InteractionChecker(source, config, known)
    try:
        for chunk in source.interactions():
            checker.check(chunk)
        problems += checker.finish(source.notices)
    except DataError as error:
        problems += error.problems
    if problems or items is None or known is None:
        raise DataError(source.name, list(dict.fromkeys(problems)))
    return ValidData(
        canonical_items(items, config.attributes),
        known,
        checker.sessions,
        checker.events,
        checker.short_sessions,
        [*source.notices, *checker.notices()],
    )


def columns_read(config: Config) -> list[str]:
    """Return the raw columns of the items that a configuration reads, but for the ids."""
    title = [] if config.serving.title_column is None else [config.serving.title_column]
    return [*(attribute.source_column for attribute in config.attributes), *title]


def check_items(
    items: pd.DataFrame,
    log: ProblemLog,
    attributes: Sequence[Attribute],
    title_column: str | None = None,
) -> None:
    """Note everything that is wrong with an items table.

    Args:
        items: as the source gives it.
        log: takes the problems.
        attributes: each must find its column, with values that suit its kind.
        title_column: of `serving.title_column`; must be there too.
    """
    check_ids(items, log)
    names = _names(items, log)
    if title_column is not None and title_column not in items:
        log.add(describe_missing_column(title_column, names, "serving.title_column names"))
    elif title_column is not None:
        titles, fault = items[title_column], "is a list, and so no title (serving.title_column)"
        log.add_rows(title_column, fault, titles, are_lists(titles))
    check_attributes(items, attributes, log)


def check_ids(items: pd.DataFrame, log: ProblemLog) -> None:
    """Note what is wrong with the ids of an items table: each must be there, once."""
    if len(items.columns) and not len(items):
        log.add("holds no rows")
    if ITEM_ID not in items:
        names, own = _names(items, log), log.origin.column(ITEM_ID)
        log.add(describe_missing_column(own, names, "data.columns.item_id names"))
        return
    _check_ids(items[ITEM_ID], ITEM_ID, log)
    ids = normalise_ids(items[ITEM_ID])
    log.add_rows(ITEM_ID, "repeats the id of an earlier row", ids, ids.notna() & ids.duplicated())


def check_attributes(items: pd.DataFrame, attributes: Sequence[Attribute], log: ProblemLog) -> None:
    """Note which attributes do not find their column, or find values there that do not suit their kind."""
    for attribute in attributes:
        column = attribute.source_column
        if column not in items:
            purpose = f"attribute '{attribute.name}' reads"
            log.add(describe_missing_column(column, _names(items, log), purpose))
            continue
        for fault in attribute.faults(items[column][items[column].notna()]):
            what = f"{fault.what} (attribute '{attribute.name}')"
            log.add_rows(column, what, fault.values, fault.wrong, fault.hint)


def _names(items: pd.DataFrame, log: ProblemLog) -> list[str]:
    """Return the names of all columns of the source, as it calls them."""
    return log.origin.available() or [log.origin.column(c) if c == ITEM_ID else c for c in items.columns]


def _check_ids(values: pd.Series, column: str, log: ProblemLog) -> None:
    ids = normalise_ids(values)
    log.add_rows(column, "is missing", ids.mask(ids.isna()), ids.isna())
    log.add_rows(column, "is no whole number", values, has_fractions(values), "ids are whole numbers or text")


def _codes(values: pd.Series) -> np.ndarray:
    """Return numbers that are equal where values are."""
    whole = pd.api.types.is_integer_dtype(values)
    return values.to_numpy(np.int64, na_value=0) if whole else pd.factorize(values)[0]


class _InteractionChecker:
    def __init__(self, source: Source, config: Config, known: KnownItems | None) -> None:
        self._origin: Origin = source.interactions_origin
        self._items_label = source.items_origin.label
        self._time_format = source.time_format
        self._split = config.data.split
        self._shortest = config.data.min_session_length
        self._known = known
        self._unknown_hint = config.data.unknown_items_hint
        self._times_hint = config.data.times_hint
        self._latest = pd.Timestamp.min
        self._repeated = 0
        self._missing_words: Counter[str] = Counter()
        self._log = ProblemLog(self._origin)
        self._rows = 0
        self._unknown = False
        self.sessions = self.events = self.short_sessions = 0

    def check(self, chunk: pd.DataFrame) -> None:
        self._rows += len(chunk)
        for column in (SESSION_ID, ITEM_ID):
            if column in chunk:
                _check_ids(chunk[column], column, self._log)
        if ITEM_ID in chunk and self._known is not None:
            ids = normalise_ids(chunk[ITEM_ID])
            unknown = (self._known.positions(ids) < 0) & ids.notna().to_numpy()
            what = f"names an item that has no row in {self._items_label}"
            hint = ""
            if unknown.any() and not self._unknown:
                self._unknown = True
                hint = self._explain_unknown(ids[unknown].iloc[:SHOWN], self._known)
            self._log.add_rows(ITEM_ID, what, ids, unknown, hint)
        if POSITION in chunk:
            numbers = parse_positions(chunk[POSITION])
            self._log.add_rows(POSITION, "is not a position (a number)", chunk[POSITION], numbers.isna())
        if TIMESTAMP in chunk:
            times = parse_instants(chunk[TIMESTAMP], self._time_format)
            what, missing = f"is not a timestamp ({self._time_format})", chunk[TIMESTAMP].isna()
            self._log.add_rows(TIMESTAMP, "is missing", chunk[TIMESTAMP], missing)
            self._log.add_rows(TIMESTAMP, what, chunk[TIMESTAMP], times.isna() & ~missing, self._times_hint)
            self._latest = max(self._latest, times.max()) if times.notna().any() else self._latest
        if SESSION_ID in chunk:
            self._check_sessions(chunk)
        else:
            self.events += len(chunk)

    def _explain_unknown(self, unknown: pd.Series, known: KnownItems) -> str:
        if self._origin.column(ITEM_ID) in unknown.to_list():
            return "the header stands between the rows: remove it there"
        near = explain_unknown(unknown, known.ids)
        return f"{near}: write both alike" if near else self._unknown_hint

    def _count_repeated(self, session: np.ndarray, chunk: pd.DataFrame) -> None:
        """Count events that have session, item and place of another one; by a hash, which is fast."""
        order = [chunk[column] for column in (TIMESTAMP, POSITION) if column in chunk]
        if not order or ITEM_ID not in chunk:
            return
        parts = [session, _codes(chunk[ITEM_ID]), _codes(order[0])]
        mixed = sum((part.astype(np.uint64) * factor for part, factor in zip(parts, _FACTORS, strict=True)))
        self._repeated += int(pd.Series(mixed).duplicated().sum())

    def _check_sessions(self, chunk: pd.DataFrame) -> None:
        session, ids = pd.factorize(normalise_ids(chunk[SESSION_ID]), use_na_sentinel=False)
        lengths = np.bincount(session, minlength=len(ids))
        kept = lengths >= self._shortest
        self._count_repeated(session, chunk)
        if pd.api.types.infer_dtype(ids, skipna=True) == "string":
            for number in np.flatnonzero(are_missing_words(pa.array(ids, pa.string(), from_pandas=True))):
                # Sessions that were cut are called USER@START.
                self._missing_words[ids[number].split("@")[0]] += int(lengths[number])
        self.sessions += int(kept.sum())
        self.events += int(lengths[kept].sum())
        self.short_sessions += int((~kept).sum())
        if isinstance(self._split, SplitByModulus):
            wrong = parse_whole_numbers(chunk[SESSION_ID]).isna() & chunk[SESSION_ID].notna()
            what = "is not a whole number, as split.kind 'modulus' needs"
            self._log.add_rows(SESSION_ID, what, chunk[SESSION_ID], wrong)
        if isinstance(self._split, SplitByColumn) and SPLIT in chunk:
            names = chunk[SPLIT].astype(object).where(chunk[SPLIT].notna(), None)
            self._log.add_rows(SPLIT, f"is none of {', '.join(SPLITS)}", names, ~names.isin(SPLITS))
            _, first = np.unique(session, return_index=True)
            other = names.to_numpy(object) != names.to_numpy(object)[first][session]
            what = "is not the split of its session's first event"
            self._log.add_rows(SPLIT, what, names, other & names.isin(SPLITS).to_numpy())

    def notices(self) -> list[str]:
        """Return what is no error, but hardly meant so."""
        column = self._origin.column(SESSION_ID)
        found = [
            f"{count:,} events have '{word}' in column '{column}', which is taken for a name: leave it empty "
            "where there is no value"
            for word, count in self._missing_words.items()
        ]
        if self._repeated > _NOTABLE * self._rows:
            found.append(
                f"{self._repeated:,} of {self._rows:,} events are there twice, with item, session and place: "
                f"does {self._origin.label} hold something twice?"
            )
        if self._time_format in UNIX_UNITS and pd.Timestamp.min < self._latest < _UNLIKELY_BEFORE:
            found.append(
                f"all times are before {_UNLIKELY_BEFORE:%Y}, the last one {self._latest}: is time_format "
                f"'{self._time_format}' right?"
            )
        return found

    def finish(self, notices: Sequence[str]) -> list[str]:
        """Return all problems.

        Args:
            notices: what the source left out.
        """
        columns = self._origin.columns
        available = self._origin.available() or list(columns.values())
        missing = [canonical for canonical, own in columns.items() if own not in available]
        for canonical in missing:
            purpose = "data.columns or the format of this source asks for"
            self._log.add(describe_missing_column(columns[canonical], available, purpose))
        if isinstance(self._split, SplitByTime) and TIMESTAMP not in columns and not missing:
            self._log.add(
                "split.kind 'time' needs a timestamp for each event; there is none: let data.columns.order "
                "name a column of dates (or of Unix time, with data.options.time_format: s), or use 'hash'"
            )
        left_out = "".join(f"; {notice}" for notice in notices)
        if not self._rows and not missing:
            self._log.add(f"no event is left{left_out}" if notices else "holds no rows")
        elif self._rows and SESSION_ID not in missing and not self.sessions:
            self._log.add(
                f"no session is left: all {self.short_sessions:,} have fewer than {self._shortest} events "
                f"(data.min_session_length){left_out}"
            )
        return self._log.messages()
