"""Find and read the files of interactions that `m2trec data` writes, and count their items."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from m2trec_merlin.arrays import Array
from m2trec_merlin.artifacts import reading
from m2trec_merlin.column_names import ITEM_ID, POSITION, SESSION_ID, TIMESTAMP
from m2trec_merlin.errors import ArtifactError
from m2trec_merlin.frames.pandas_frames import PandasFrames
from m2trec_merlin.ids import IdIndex, id_hashes
from m2trec_merlin.runs import Run
from m2trec_merlin.runs.folder import INTERACTIONS, PARTS


def find_parts(data: Path, split: str) -> list[Path]:
    """Return the part files of a split, in order.

    Raises:
        ArtifactError: there are none.
    """
    folder = data / INTERACTIONS / split
    parts = sorted(folder.glob(PARTS))
    if not parts:
        raise ArtifactError(f"{folder} holds no {PARTS}: run `m2trec data` again")
    return parts


def tell_times(parts: Sequence[Path]) -> bool:
    """Tell whether the events of part files have times."""
    return all(TIMESTAMP in pq.read_schema(part).names for part in parts)


def unaltered_parts(run: Run, split: str) -> list[Path]:
    """Return the part files of a split, in order; they are those that `m2trec data` wrote.

    Raises:
        ArtifactError: one is missing or altered, or was added; names the first.
    """
    step, table = run.step("data"), Path(INTERACTIONS, split)
    step.require_unaltered(*(name for name in step.manifest()["sha256"] if Path(name).parent == table))
    return find_parts(run.data, split)


@dataclass(frozen=True)
class Events:
    """The events of part files, read one part at a time.

    Attributes:
        parts: part files in the order of the source.
        go_on: part files that may repeat sessions of `parts` with more events; such sessions are read only
            from here.
        longest: the number of events read at the end of each session; None for all.
    """

    parts: Sequence[Path]
    go_on: Sequence[Path] = ()
    longest: int | None = None

    @cached_property
    def _elsewhere(self) -> np.ndarray:
        """Sorted hashes of the sessions in `go_on`, uint64 [n]; hashes take less memory than ids."""
        found = [np.unique(id_hashes(read_part(part, [SESSION_ID])[SESSION_ID])) for part in self.go_on]
        return np.unique(np.concatenate(found))

    def read(self, columns: Sequence[str]) -> Iterator[pd.DataFrame]:
        """Yield the events of each part; see `read_part`."""
        for part in self.parts:
            if not self.go_on:
                yield self._read(part, columns)
                continue
            events = self._read(part, [*columns, SESSION_ID])
            hashes = id_hashes(events[SESSION_ID])
            near = np.searchsorted(self._elsewhere[:-1], hashes)
            yield events[self._elsewhere[near] != hashes]
        for part in self.go_on:
            yield self._read(part, columns)

    def _read(self, part: Path, columns: Sequence[str]) -> pd.DataFrame:
        columns = list(dict.fromkeys(columns))
        if self.longest is None:
            return read_part(part, columns)
        events = read_part(part, list(dict.fromkeys([*columns, POSITION])))
        kept = last_of_sessions(events[POSITION].to_numpy(), self.longest)
        if kept.all():
            return events
        # Several times as fast as `events[kept]`, which takes rows by their labels.
        return pd.DataFrame({name: events[name].array[kept] for name in columns}, copy=False)


def last_of_sessions(positions: Array, longest: int) -> Array:
    """Return which events are among the last `longest` of their session, bool [events].

    Args:
        positions: position of each event in its session; sessions stand whole and in order.
        longest: the number of events kept of a session.
    """
    kept = positions >= 0
    # The event `longest` places behind another one is of the same session exactly if its position is at
    # least `longest`.
    kept[:-longest] = positions[longest:] < longest
    return kept


def count_events(events: Events, items: IdIndex) -> np.ndarray:
    """Return the number of events of each item, int64 [items]."""
    counts = np.zeros(len(items), dtype=np.int64)
    for part in events.read([ITEM_ID]):
        counts += count_ids(part[ITEM_ID], items)
    return counts


def count_ids(ids: pd.Series, items: IdIndex) -> np.ndarray:
    """Return how often each item occurs among ids, int64 [items]; other ids are not counted."""
    # The first bin counts the other ids.
    return np.bincount(items.find(ids) + 1, minlength=len(items) + 1)[1:]


def read_part(part: Path, columns: Sequence[str]) -> pd.DataFrame:
    """Read a part file; strings become pandas categories, which avoids a Python string per event."""
    with reading(part, "data"):
        frame: pd.DataFrame = PandasFrames().read(part, columns, categories=True)
    return frame
