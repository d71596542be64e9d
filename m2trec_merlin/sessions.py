"""Sessions as flat arrays: no Python object per session.

Session `i` is `rows[offsets[i]:offsets[i + 1]]`, catalogue rows in order of time. Attributes of events are in
arrays parallel to `rows`.

On disk, sessions are Parquet files with the columns `session_id`, `row` (a list per session) and, parallel to
`row`, a list per event attribute (described by the schema's metadata) and `is_target`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq

from m2trec_merlin.arrays import offsets_of, places_in_lists, ragged_positions
from m2trec_merlin.artifacts import reading
from m2trec_merlin.column_names import SESSION_ID
from m2trec_merlin.encoded import NO_ITEM, EncodedColumn, EncodedItems, Field
from m2trec_merlin.errors import ArtifactError

if TYPE_CHECKING:
    import pandas as pd

#: Name of the column that tells which events may be targets.
IS_TARGET = "is_target"
_METADATA = b"event_attributes"


@dataclass(frozen=True)
class Sessions:
    """A set of sessions, ragged.

    Attributes:
        rows: catalogue rows of all events, int64 [E]; NO_ITEM for items that the catalogue lacks.
        offsets: where each session starts, int64 [S + 1]; the last entry is E.
        attributes: encoded attributes of the E events; empty if none are configured.
        is_target: which events may be targets, bool [E]; None for all.
    """

    rows: np.ndarray
    offsets: np.ndarray
    attributes: EncodedItems = field(default_factory=dict)
    is_target: np.ndarray | None = None

    @classmethod
    def from_lists(cls, sessions: list[list[int]]) -> Sessions:
        """Build from Python lists (tests, single requests)."""
        offsets = np.cumsum([0, *map(len, sessions)], dtype=np.int64)
        return cls(np.array([r for s in sessions for r in s], dtype=np.int64), offsets)

    @classmethod
    def load(cls, directory: Path) -> Sessions:
        """Read a folder of Parquet files, in file order.

        Raises:
            ArtifactError: the folder holds no Parquet file.
        """
        return cls.read(session_files(directory))

    @classmethod
    def read(cls, files: Sequence[Path]) -> Sessions:
        """Read Parquet files with the same columns, one after the other."""
        rows, lengths = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
        fields, told = event_fields(files), tells_targets(files)
        more: dict[str, list[EncodedColumn]] = {each.name: [EncodedColumn.empty(each)] for each in fields}
        targets = [np.empty(0, bool)]
        for file in files:
            with reading(file, "preprocess"):
                table = pq.read_table(file, columns=["row", *more, *([IS_TARGET] if told else [])])
            for chunk in table.column("row").chunks:
                rows.append(chunk.flatten().to_numpy().astype(np.int64, copy=False))
                lengths.append(chunk.value_lengths().to_numpy().astype(np.int64, copy=False))
            for each in fields:
                entries = table.column(each.name).combine_chunks().flatten()
                more[each.name].append(EncodedColumn.from_arrow(each, entries))
            if told:
                targets.append(
                    table.column(IS_TARGET).combine_chunks().flatten().to_numpy(zero_copy_only=False)
                )
        offsets = offsets_of(np.concatenate(lengths))
        return cls(
            np.concatenate(rows),
            offsets,
            {name: EncodedColumn.join(parts) for name, parts in more.items()},
            np.concatenate(targets) if told else None,
        )

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> np.ndarray:
        return self.rows[self.offsets[index] : self.offsets[index + 1]]

    @property
    def lengths(self) -> np.ndarray:
        """Events per session, int64 [S]."""
        return np.diff(self.offsets)

    @cached_property
    def n_repeats(self) -> int:
        """Number of events that may be targets and repeat a known item of their session."""
        session = np.repeat(np.arange(len(self)), self.lengths)
        _, first = np.unique(session * (self.rows.max(initial=0) + 1) + self.rows, return_index=True)
        repeats = np.ones(len(self.rows), bool) if self.is_target is None else self.is_target.copy()
        repeats[first] = False
        repeats &= self.rows != NO_ITEM
        return int(repeats.sum())

    @property
    def n_prefixes(self) -> int:
        """Number of prefixes that have a target: by default one for each event but a session's first."""
        if self.is_target is not None:
            return len(self.prefixes())
        return int(np.maximum(self.lengths - 1, 0).sum())

    def take(self, indices: np.ndarray) -> Sessions:
        """Return the sessions at `indices`, in that order."""
        return self.cut(self.offsets[indices], self.lengths[indices])

    def cut(self, starts: np.ndarray, lengths: np.ndarray) -> Sessions:
        """Return new sessions, each a run of consecutive events.

        Args:
            starts: position in `rows` of each new session's first event, int64 [n].
            lengths: number of events of each, int64 [n].
        """
        offsets = offsets_of(np.asarray(lengths, np.int64))
        return self._of(ragged_positions(starts, lengths), offsets)

    def keep(self, wanted: np.ndarray) -> Sessions:
        """Return the same sessions with only the `wanted` events, bool [E]; sessions may become empty."""
        counts = np.append(0, np.cumsum(wanted))
        return self._of(np.flatnonzero(wanted), counts[self.offsets])

    def _of(self, events: np.ndarray, offsets: np.ndarray) -> Sessions:
        return Sessions(
            self.rows[events],
            offsets,
            {name: column.take(events) for name, column in self.attributes.items()},
            None if self.is_target is None else self.is_target[events],
        )

    def prefixes(self) -> Prefixes:
        """Return every prefix that has a target (Eq. 1), session by session."""
        lengths = np.maximum(self.lengths - 1, 0)
        session = np.repeat(np.arange(len(self)), lengths)
        length = places_in_lists(lengths) + 1
        prefixes = Prefixes(self, session, length)
        if self.is_target is None:
            return prefixes
        return prefixes.take(np.flatnonzero(self.is_target[self.offsets[session] + length]))


@dataclass(frozen=True)
class Prefixes:
    """Prefixes of sessions: prefix `i` is the first `length[i]` events of session `session[i]`.

    Attributes:
        sessions: the sessions they are cut from.
        session: index of each prefix's session, int64 [P].
        length: number of events in the prefix, at least 1 and less than the session's length, int64 [P].
    """

    sessions: Sessions
    session: np.ndarray
    length: np.ndarray

    def __len__(self) -> int:
        return len(self.session)

    @property
    def targets(self) -> np.ndarray:
        """Catalogue row of the item immediately after each prefix, int64 [P]."""
        return self.sessions.rows[self.sessions.offsets[self.session] + self.length]

    def items(self, index: int) -> np.ndarray:
        """Return the rows of prefix `index`, in order."""
        start = self.sessions.offsets[self.session[index]]
        return self.sessions.rows[start : start + self.length[index]]

    def remaining(self, index: int) -> np.ndarray:
        """Return the rows of the events after prefix `index` that may be targets, its target first."""
        session = self.session[index]
        start = self.sessions.offsets[session] + self.length[index]
        later = slice(start, self.sessions.offsets[session + 1])
        rows, is_target = self.sessions.rows[later], self.sessions.is_target
        return rows if is_target is None else rows[is_target[later]]

    def take(self, indices: np.ndarray) -> Prefixes:
        """Return the prefixes at `indices` (same sessions)."""
        return Prefixes(self.sessions, self.session[indices], self.length[indices])

    def last(self, most: int) -> Prefixes:
        """Shorten each prefix to its last `most` events; if any is longer, drop all events after targets."""
        if (self.length <= most).all():
            return self
        kept = np.minimum(self.length, most)
        starts = self.sessions.offsets[self.session] + self.length - kept
        return Prefixes(self.sessions.cut(starts, kept + 1), np.arange(len(self)), kept)

    def blocks(self, size: int) -> Iterator[Prefixes]:
        """Yield blocks of at most `size` prefixes, in order."""
        for start in range(0, len(self), size):
            yield self.take(np.arange(start, min(start + size, len(self))))


def identify(ids: np.ndarray, items: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Return a hash of each session's id and items in order, uint64 [S].

    Args:
        ids: session ids as texts, object [S].
        items: numbers that are equal for equal items, uint64 [E].
        offsets: where each session starts, int64 [S + 1]; no session is empty.
    """
    return identify_beginnings(ids, items, offsets)[offsets[1:] - 1]


def identify_beginnings(
    ids: np.ndarray, items: np.ndarray, offsets: np.ndarray, longest: int | None = None
) -> np.ndarray:
    """Return, for each event, what `identify` returns for its session up to this event, uint64 [E].

    Args:
        ids: session ids as texts, object [S].
        items: numbers that are equal for equal items, uint64 [E].
        offsets: where each session starts, int64 [S + 1]; no session is empty.
        longest: how many last events of each beginning count, as in training; None for all.
    """
    # Serving imports this module, but not pandas.
    import pandas as pd

    lengths, stop = np.diff(offsets), np.arange(1, len(items) + 1)
    start = np.repeat(offsets[:-1], lengths)
    if longest is not None:
        start = np.maximum(start, stop - longest)
    # Overflow is intended. The sum of item * (2 * position + 1) depends on the order of the items; positions
    # count from the start of each beginning, so those before it are taken off the running sums.
    hashes, zero = pd.util.hash_array(items), np.uint64(0)
    plain = np.append(zero, np.cumsum(hashes))
    placed = np.append(zero, np.cumsum(hashes * (2 * stop - 1).astype(np.uint64)))
    before = (2 * start).astype(np.uint64)
    sums = placed[stop] - placed[start] - before * (plain[stop] - plain[start])
    names = pd.util.hash_array(ids, categorize=False)
    found: np.ndarray = sums ^ np.repeat(names, lengths)
    return found


def read_ids(file: Path) -> pd.Series:
    """Return the session ids of a file, S."""
    with reading(file, "preprocess"):
        return pq.read_table(file, columns=[SESSION_ID]).column(SESSION_ID).to_pandas()


def identify_file(file: Path, row_of: np.ndarray | None = None) -> np.ndarray:
    """Return a hash of the id and the items of each session in a file, uint64 [S].

    Args:
        file: a file of sessions, none of which is empty.
        row_of: row in another catalogue for each row in the file, int64 [R], to hash the rows of that
            catalogue; None to hash the rows in the file. Events whose items the other catalogue lacks are
            dropped, and so are sessions that are left empty.
    """
    sessions, names = Sessions.read([file]), read_ids(file).astype(str).to_numpy(object)
    if row_of is not None:
        there = Sessions(row_of[sessions.rows], sessions.offsets)
        there = there.keep(there.rows != NO_ITEM)
        left = np.flatnonzero(there.lengths)
        sessions, names = there.take(left), names[left]
    return identify(names, sessions.rows.astype(np.uint64), sessions.offsets)


def session_files(directory: Path) -> list[Path]:
    """Return the Parquet files of a folder of sessions, sorted by name.

    Raises:
        ArtifactError: the folder holds no Parquet file.
    """
    files = sorted(directory.glob("*.parquet"))
    if not files:
        raise ArtifactError(f"{directory} holds no sessions: run `m2trec preprocess` first")
    return files


def count_sessions(files: Sequence[Path]) -> int:
    """Return the number of sessions in files."""
    count = 0
    for file in files:
        with reading(file, "preprocess"):
            count += pq.read_metadata(file).num_rows
    return count


def count_events(files: Sequence[Path]) -> int:
    """Return the number of events in files of sessions."""
    count = 0
    for file in files:
        with reading(file, "preprocess"):
            described = pq.read_metadata(file)
            groups = map(described.row_group, range(described.num_row_groups))
            columns = (group.column(place) for group in groups for place in range(group.num_columns))
            count += sum(each.num_values for each in columns if each.path_in_schema.startswith("row."))
    return count


def event_fields(files: Sequence[Path]) -> list[Field]:
    """Return the fields of the event attributes in files of sessions; none without such attributes."""
    described = (_schema(files[0]).metadata or {}).get(_METADATA) if files else None
    return [] if described is None else [Field.from_json(each) for each in json.loads(described)]


def tells_targets(files: Sequence[Path]) -> bool:
    """Tell whether files of sessions mark the events that may be targets."""
    return bool(files) and IS_TARGET in _schema(files[0]).names


def event_metadata(fields: Sequence[Field]) -> dict[bytes, bytes] | None:
    """Return the schema metadata that `event_fields` reads; None without event attributes."""
    return {_METADATA: json.dumps([each.to_json() for each in fields]).encode()} if fields else None


def _schema(file: Path) -> Any:
    with reading(file, "preprocess"):
        return pq.read_schema(file)
