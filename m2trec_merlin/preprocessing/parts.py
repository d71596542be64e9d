"""The interaction files that `m2trec data` writes: where they are, and which items they hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from m2trec_merlin.artifacts import reading
from m2trec_merlin.column_names import ITEM_ID, SESSION_ID
from m2trec_merlin.errors import ArtifactError
from m2trec_merlin.frames.pandas_frames import PandasFrames
from m2trec_merlin.ids import IdIndex, id_hashes
from m2trec_merlin.runs.folder import INTERACTIONS, PARTS


def find_parts(data: Path, split: str) -> list[Path]:
    """Return the part files of a split in order.

    Raises:
        ArtifactError: there are none.
    """
    folder = data / INTERACTIONS / split
    parts = sorted(folder.glob(PARTS))
    if not parts:
        raise ArtifactError(f"{folder} holds no {PARTS}: run `m2trec data` again")
    return parts


@dataclass(frozen=True)
class Events:
    """Events of part files; one part is read at a time.

    Attributes:
        parts: in the order of the source.
        go_on: parts in which sessions of `parts` may go on: longer there, they are read there alone.
    """

    parts: Sequence[Path]
    go_on: Sequence[Path] = ()

    @cached_property
    def _elsewhere(self) -> np.ndarray:
        """Hashes of sessions, which are small, rising, uint64 [n]."""
        found = [np.unique(id_hashes(read_part(part, [SESSION_ID])[SESSION_ID])) for part in self.go_on]
        return np.unique(np.concatenate(found))

    def read(self, columns: Sequence[str]) -> Iterator[pd.DataFrame]:
        """Yield the events of each part; see `read_part`."""
        for part in self.parts:
            if not self.go_on:
                yield read_part(part, columns)
                continue
            events = read_part(part, list(dict.fromkeys([*columns, SESSION_ID])))
            hashes = id_hashes(events[SESSION_ID])
            near = np.searchsorted(self._elsewhere[:-1], hashes)
            yield events[self._elsewhere[near] != hashes]
        for part in self.go_on:
            yield read_part(part, columns)


def count_events(events: Events, items: IdIndex) -> np.ndarray:
    """Return the number of events of each of `items`."""
    counts = np.zeros(len(items), dtype=np.int64)
    for part in events.read([ITEM_ID]):
        counts += count_ids(part[ITEM_ID], items)
    return counts


def count_ids(ids: pd.Series, items: IdIndex) -> np.ndarray:
    """Return how often each of `items` is among ids, int64 [items]; other ids are not counted."""
    # The first bin takes other ids.
    return np.bincount(items.find(ids) + 1, minlength=len(items) + 1)[1:]


def read_part(part: Path, columns: Sequence[str]) -> pd.DataFrame:
    """Read a part file; columns of strings become pandas categories, so that no string is made per event."""
    with reading(part, "data"):
        frame: pd.DataFrame = PandasFrames().read(part, columns, categories=True)
    return frame
