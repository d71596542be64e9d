"""Sessions as two flat arrays: no Python object per session.

Session `i` is `rows[offsets[i]:offsets[i + 1]]`, catalogue rows in order of time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from m2trec_merlin.arrays import ragged_positions
from m2trec_merlin.artifacts import reading
from m2trec_merlin.errors import ArtifactError


@dataclass(frozen=True)
class Sessions:
    """A set of sessions, ragged.

    Attributes:
        rows: int64 [E], catalogue rows of all events; NO_ITEM where the catalogue does not hold an item.
        offsets: int64 [S + 1], where each session starts; the last entry is E.
    """

    rows: np.ndarray
    offsets: np.ndarray

    @classmethod
    def from_lists(cls, sessions: list[list[int]]) -> Sessions:
        """Build from Python lists (tests, single requests)."""
        offsets = np.cumsum([0, *map(len, sessions)], dtype=np.int64)
        return cls(np.array([r for s in sessions for r in s], dtype=np.int64), offsets)

    @classmethod
    def load(cls, directory: Path) -> Sessions:
        """Read the `row` column of a folder of Parquet files, in file order.

        Raises:
            ArtifactError: the folder holds no Parquet file.
        """
        files = sorted(directory.glob("*.parquet"))
        if not files:
            raise ArtifactError(f"{directory} holds no sessions: run `m2trec preprocess` first")
        return cls.read(files)

    @classmethod
    def read(cls, files: Sequence[Path]) -> Sessions:
        """Read the `row` column of Parquet files, one after the other."""
        rows, lengths = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
        for file in files:
            with reading(file, "preprocess"):
                column = pq.read_table(file, columns=["row"]).column("row")
            for chunk in column.chunks:
                rows.append(chunk.flatten().to_numpy().astype(np.int64, copy=False))
                lengths.append(chunk.value_lengths().to_numpy().astype(np.int64, copy=False))
        offsets = np.concatenate([[0], np.cumsum(np.concatenate(lengths))]).astype(np.int64)
        return cls(np.concatenate(rows), offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> np.ndarray:
        return self.rows[self.offsets[index] : self.offsets[index + 1]]

    @property
    def lengths(self) -> np.ndarray:
        """int64 [S], events per session."""
        return np.diff(self.offsets)

    @property
    def n_prefixes(self) -> int:
        """Prefixes that have a next item: events that are not the first of their session."""
        return int(np.maximum(self.lengths - 1, 0).sum())

    def take(self, indices: np.ndarray) -> Sessions:
        """Return the sessions at `indices`, in that order."""
        return self.cut(self.offsets[indices], self.lengths[indices])

    def cut(self, starts: np.ndarray, lengths: np.ndarray) -> Sessions:
        """Return new sessions, each of the `length` events from event `start` on.

        Args:
            starts: int64 [n], positions in `rows`.
            lengths: int64 [n].
        """
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        return Sessions(self.rows[ragged_positions(starts, lengths)], offsets)

    def prefixes(self) -> Prefixes:
        """Return every prefix of every session, each with its target (Eq. 1)."""
        lengths = np.maximum(self.lengths - 1, 0)
        session = np.repeat(np.arange(len(self)), lengths)
        starts = np.repeat(np.cumsum(lengths) - lengths, lengths)
        length = np.arange(len(session)) - starts + 1
        return Prefixes(self, session, length)


@dataclass(frozen=True)
class Prefixes:
    """Prefixes of sessions: prefix `i` is the first `length[i]` events of session `session[i]`.

    Attributes:
        sessions: the sessions they are cut from.
        session: int64 [P], index of the session.
        length: int64 [P], events in the prefix, at least 1 and less than the session's length.
    """

    sessions: Sessions
    session: np.ndarray
    length: np.ndarray

    def __len__(self) -> int:
        return len(self.session)

    @property
    def targets(self) -> np.ndarray:
        """int64 [P], catalogue row of the immediate next item."""
        return self.sessions.rows[self.sessions.offsets[self.session] + self.length]

    def items(self, index: int) -> np.ndarray:
        """Rows of prefix `index`, in order."""
        start = self.sessions.offsets[self.session[index]]
        return self.sessions.rows[start : start + self.length[index]]

    def remaining(self, index: int) -> np.ndarray:
        """Rows of the events after prefix `index`; the first one is its target."""
        session = self.session[index]
        start = self.sessions.offsets[session] + self.length[index]
        return self.sessions.rows[start : self.sessions.offsets[session + 1]]

    def take(self, indices: np.ndarray) -> Prefixes:
        """Return the prefixes at `indices` (same sessions)."""
        return Prefixes(self.sessions, self.session[indices], self.length[indices])

    def last(self, most: int) -> Prefixes:
        """Return each prefix without all but its last `most` events; what follows the target is left out."""
        if (self.length <= most).all():
            return self
        kept = np.minimum(self.length, most)
        starts = self.sessions.offsets[self.session] + self.length - kept
        return Prefixes(self.sessions.cut(starts, kept + 1), np.arange(len(self)), kept)

    def blocks(self, size: int) -> Iterator[Prefixes]:
        """Cut into blocks of at most `size` prefixes; prefixes of a session stay side by side."""
        for start in range(0, len(self), size):
            yield self.take(np.arange(start, min(start + size, len(self))))
