"""Check the interactions of a source, in memory that does not grow with the number of sessions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from m2trec_merlin.column_names import ITEM_ID, POSITION, SESSION_ID, SPLIT, TARGET, TIMESTAMP
from m2trec_merlin.config import Config
from m2trec_merlin.data.event_columns import EventColumns
from m2trec_merlin.data.position_checks import PositionChecks
from m2trec_merlin.data.time_checks import TimeChecks
from m2trec_merlin.ids import numbered
from m2trec_merlin.readers import Origin, Source
from m2trec_merlin.readers.canonical import SPLITS, KnownItems, has_fractions, normalise_ids
from m2trec_merlin.readers.near_ids import AlikeIds, MissingWords, doubt_of, explain_unknown
from m2trec_merlin.readers.positions import parse_positions, parse_whole_numbers
from m2trec_merlin.readers.problems import SHOWN, ProblemLog, describe_missing_column
from m2trec_merlin.readers.rounded import IDS, POSITIONS
from m2trec_merlin.readers.times import parse_instants

_HEADER_HINT = "the header stands between the rows: remove it there"
_SPLIT_HINT = "a session is in one split; to hold out its last events, set data.split.kind: leave_one_out"
#: Exports of shops, such as those of Shopify, say what belongs to an order in its first row alone.
_NO_TIME = "each event needs one: where only the first row of an order has it, write it into the others, too"
#: Share of repeated events or sessions above which they are no coincidence.
_NOTABLE = 0.05
#: Sessions with fewer events may well repeat themselves.
_LONG_ENOUGH = 4
#: Odd factors of a hash that spreads over 64 bits.
_FACTORS = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F))


def check_ids(values: pd.Series, column: str, log: ProblemLog, missing_hint: str = "") -> pd.Series:
    """Log values that cannot be ids, and return all values normalised by `normalise_ids`."""
    ids = normalise_ids(values)
    if column == ITEM_ID:
        log.add_rows(column, "is the name of its column", ids, _headers(ids, log.origin), _HEADER_HINT)
    log.add_rows(column, "is missing", ids, ids.isna(), missing_hint)
    log.add_rows(column, "is no whole number", values, has_fractions(values), "ids are whole numbers or text")
    log.add_rows(column, IDS.what, values, IDS.of(values), IDS.hint)
    return ids


def _headers(item_ids: pd.Series, origin: Origin) -> np.ndarray:
    """Tell which rows are the header of another file, bool; concatenated files contain such rows."""
    name = origin.column(ITEM_ID)
    # The name of a numbered column is also a possible id.
    if item_ids.dtype != object or name.isdecimal():
        return np.zeros(len(item_ids), dtype=bool)
    return (item_ids == name).to_numpy(bool)


def _codes(values: pd.Series) -> np.ndarray:
    """Return numbers that are equal where the values are equal, int64."""
    whole = pd.api.types.is_integer_dtype(values)
    return values.to_numpy(np.int64, na_value=0) if whole else numbered(values)[0]


def _mix(*codes: np.ndarray) -> np.ndarray:
    """Return numbers that are equal where all codes are, and differ elsewhere but by chance, uint64."""
    parts = zip(codes, _FACTORS, strict=False)
    return np.asarray(sum(code.astype(np.uint64) * factor for code, factor in parts))


def _count_doubled(session: np.ndarray, items: np.ndarray) -> np.ndarray:
    """Count sessions of at least four events whose second half repeats the first, and all sessions that long.

    Args:
        session: number of each event's session, rising by 1 from session to session, int64 [E].
        items: code of each event's item, and of its time if it has one, [E].

    Returns:
        Both counts, int64 [2]. Sessions whose events are all equal do not count as repeated.
    """
    lengths = np.bincount(session)
    half, start = lengths // 2, np.cumsum(lengths) - lengths
    place = np.arange(len(session)) - start[session]
    is_first = place < half[session]
    same = items == items[np.minimum(np.arange(len(items)) + half[session], len(items) - 1)]
    repeats = np.bincount(session, weights=is_first & same, minlength=len(lengths)) == half
    varies = np.bincount(session, weights=items != items[start][session], minlength=len(lengths)) > 0
    long = lengths >= _LONG_ENOUGH
    return np.array([(long & repeats & varies & (lengths % 2 == 0)).sum(), long.sum()])


class InteractionChecker:
    """A checker of interactions, chunk by chunk.

    Args:
        source: the reader of the chunks.
        config: the run's configuration.
        known: the known items; None, for no look-up of ids, if their table cannot be read.

    Attributes:
        sessions: number of long enough sessions so far.
        events: number of their events; of all events if no column names the session.
        short_sessions: number of too short sessions.
    """

    def __init__(self, source: Source, config: Config, known: KnownItems | None) -> None:
        self._origin: Origin = source.interactions_origin
        self._items_label = source.items_origin.label
        self._time_format = source.time_format
        self._split = config.data.split
        self._draws_late = config.training.recency > 0
        self._shortest = config.data.min_session_length
        self._known = known
        left_out = config.data.left_out_hint
        self._unknown_hint = f"add the items, or {left_out}"
        self._missing_hints = {
            SESSION_ID: "leave these events out, or give each session, or guest, an id of its own",
            ITEM_ID: left_out,
        }
        self._times_hint = config.data.times_hint
        if "%Z" in source.time_format:
            self._times_hint = f"write offsets (%z): few names of zones are known; {self._times_hint}"
        self._times, self._positions = TimeChecks(source.time_format), PositionChecks()
        self._event_columns = EventColumns(config)
        self._repeated = 0
        self._doubled = np.zeros(2, np.int64)
        self._missing_words = MissingWords()
        self._odd_ids = ""
        self._alike_ids = AlikeIds()
        self._log = ProblemLog(self._origin)
        self._rows = 0
        self._unknown = False
        self.sessions = self.events = self.short_sessions = 0

    def check(self, chunk: pd.DataFrame) -> None:
        """Log the problems of a chunk of whole sessions, and count the sessions."""
        self._rows += len(chunk)
        ids = {
            column: check_ids(chunk[column], column, self._log, hint)
            for column, hint in self._missing_hints.items()
            if column in chunk
        }
        # Those of items are among the known ones, of which the items' table is told.
        if SESSION_ID in ids:
            self._missing_words.add(ids[SESSION_ID])
        sessions = numbered(ids[SESSION_ID]) if SESSION_ID in ids else None
        if ITEM_ID in ids and self._known is not None:
            self._check_items(ids[ITEM_ID], self._known)
        for column in chunk.columns.intersection([POSITION, TIMESTAMP]):
            rounded = POSITIONS.of(chunk[column])
            self._log.add_rows(column, POSITIONS.what, chunk[column], rounded, POSITIONS.hint)
        if POSITION in chunk:
            numbers = parse_positions(chunk[POSITION])
            self._log.add_rows(POSITION, "is not a position (a number)", chunk[POSITION], numbers.isna())
            self._positions.add(numbers, None if sessions is None else sessions[0])
        if TIMESTAMP in chunk:
            times = parse_instants(chunk[TIMESTAMP], self._time_format)
            self._times.look_at(chunk[TIMESTAMP])
            what, missing = f"is not a timestamp ({self._time_format})", chunk[TIMESTAMP].isna()
            self._log.add_rows(TIMESTAMP, "is missing", chunk[TIMESTAMP], missing, _NO_TIME)
            self._log.add_rows(TIMESTAMP, what, chunk[TIMESTAMP], times.isna() & ~missing, self._times_hint)
            if sessions is not None:
                self._times.add(times, sessions[0])
        self._event_columns.check(chunk, self._log)
        if sessions is not None:
            self._check_sessions(chunk, ids[SESSION_ID], *sessions)
        else:
            self.events += len(chunk)

    def _check_items(self, ids: pd.Series, known: KnownItems) -> None:
        unknown = (known.positions(ids) < 0) & ids.notna().to_numpy() & ~_headers(ids, self._origin)
        what, hint = f"names an item that has no row in {self._items_label}", ""
        if unknown.any() and not self._unknown:
            self._unknown = True
            hint = self._explain_unknown(ids[unknown].iloc[:SHOWN], known)
        self._log.add_rows(ITEM_ID, what, ids, unknown, hint)

    def _explain_unknown(self, unknown: pd.Series, known: KnownItems) -> str:
        near = explain_unknown(unknown, known.ids)
        return f"{near}: write both alike" if near else self._unknown_hint

    def _count_repeated(self, session: np.ndarray, chunk: pd.DataFrame) -> None:
        """Count events with the item and the time or position of another one in their session, by a hash."""
        if ITEM_ID not in chunk:
            return
        read = [column for column in (ITEM_ID, TIMESTAMP, POSITION) if column in chunk][:2]
        events = _mix(*(_codes(chunk[column]) for column in read))
        self._repeated += int(pd.Series(_mix(events, session)).duplicated().sum())
        self._doubled += _count_doubled(session, events)

    def _check_sessions(
        self, chunk: pd.DataFrame, session_ids: pd.Series, session: np.ndarray, first: np.ndarray
    ) -> None:
        ids = pd.Index(session_ids.iloc[first])
        lengths = np.bincount(session, minlength=len(ids))
        kept = lengths >= self._shortest
        self._count_repeated(session, chunk)
        if pd.api.types.infer_dtype(ids, skipna=True) == "string":
            self._odd_ids = self._odd_ids or doubt_of(ids)
            self._alike_ids.add(ids)
        self.sessions += int(kept.sum())
        self.events += int(lengths[kept].sum())
        self.short_sessions += int((~kept).sum())
        if self._split.needs_whole_ids:
            wrong = parse_whole_numbers(chunk[SESSION_ID]).isna() & chunk[SESSION_ID].notna()
            what = f"is not a whole number, as split.kind '{self._split.kind}' needs"
            self._log.add_rows(SESSION_ID, what, chunk[SESSION_ID], wrong)
        if self._split.is_named and SPLIT in chunk:
            names = chunk[SPLIT].astype(object).where(chunk[SPLIT].notna(), None)
            what, hint = f"is none of {', '.join(SPLITS)}", "splits are called so, in small letters"
            self._log.add_rows(SPLIT, what, names, ~names.isin(SPLITS), hint)
            other = names.to_numpy(object) != names.to_numpy(object)[first][session]
            what = "is not the split of its session's first event"
            self._log.add_rows(SPLIT, what, names, other & names.isin(SPLITS).to_numpy(), _SPLIT_HINT)

    def _purpose(self, column: str) -> str:
        if column == TARGET:
            return "data.targets.column names"
        if any(attribute.name == column for attribute in self._event_columns.attributes):
            return f"event attribute '{column}' reads"
        return "data.columns or the format of this source asks for"

    def notices(self) -> list[str]:
        """Return warnings about interactions that are valid, but probably not intended."""
        column = self._origin.column(SESSION_ID)
        found = [*self._missing_words.doubts(column)]
        if self._odd_ids:
            found.append(f"column '{column}': {self._odd_ids}; without them, a session is another one")
        if alike := self._alike_ids.doubt():
            found.append(f"column '{column}': {alike}")
        # Of one item, a session may have several events without a place, or of one day, hour or basket.
        by = POSITION if POSITION in self._origin.columns else TIMESTAMP
        are_told_apart = by == POSITION or self._times.tell_apart
        doubled, long = self._doubled
        if are_told_apart and self._repeated > _NOTABLE * self._rows:
            found.append(
                f"{self._repeated:,} of {self._rows:,} events are there twice, with item, session and "
                f"'{self._origin.column(by)}': does {self._origin.label} hold something twice?"
            )
        if not are_told_apart and doubled > _NOTABLE * long:
            found.append(
                f"{doubled:,} of {long:,} sessions of {_LONG_ENOUGH} events and more hold the same events "
                f"twice, one after another: does {self._origin.label} hold something twice?"
            )
        found += self._positions.notices(self._origin.column(POSITION))
        return [*found, *self._times.notices(column), *self._event_columns.notices()]

    def _needs_of_times(self) -> Iterator[tuple[str, str]]:
        """Yield each setting that needs times, and what else can be done about it."""
        if self._split.needs_times:
            yield f"split.kind '{self._split.kind}'", "use 'hash'"
        # Sessions whose split a column names are in order of time.
        if self._draws_late and not self._split.is_named:
            yield "training.recency", "leave it out"

    def finish(self, notices: Sequence[str]) -> list[str]:
        """Return all problems, after all chunks have been checked.

        Args:
            notices: messages of the source about events left out.
        """
        columns = self._origin.columns
        available = self._origin.available() or list(columns.values())
        missing = [canonical for canonical, own in columns.items() if own not in available]
        for canonical in missing:
            self._log.add(describe_missing_column(columns[canonical], available, self._purpose(canonical)))
        self._event_columns.finish(self._log, TIMESTAMP in columns)
        # Of a column without rows nobody knows that it holds times.
        if TIMESTAMP not in columns and self._rows and not missing:
            for need, remedy in self._needs_of_times():
                self._log.add(
                    f"{need} needs a timestamp for each event; there is none: let data.columns.order name a "
                    f"column of dates (or of Unix time, with data.options.time_format: s), or {remedy}"
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
