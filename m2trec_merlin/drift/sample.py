"""Samples of the sessions of prepared data, with items encoded by the workflow of a trained run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from nvtabular import Workflow
from pydantic import TypeAdapter

from m2trec_merlin.arrays import offsets_of, run_starts
from m2trec_merlin.artifacts import reading
from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.column_names import ITEM_ID, SESSION_ID
from m2trec_merlin.encoded import EncodedColumn, EncodedItems
from m2trec_merlin.ids import IdIndex, id_hashes, numbered
from m2trec_merlin.manifests import require_manifest
from m2trec_merlin.preprocessing.parts import find_parts, read_part
from m2trec_merlin.readers.canonical import SPLITS
from m2trec_merlin.readers.settings import Split, SplitConfig
from m2trec_merlin.runs.folder import ITEMS_FILE
from m2trec_merlin.sessions import Sessions, identify
from m2trec_merlin.workflows.items import encode_items

#: The most sessions of a sample; if there are more, they are drawn at random.
MOST_SESSIONS = 50_000


@dataclass(frozen=True)
class Sample:
    """A sample of sessions and their encoded items.

    Attributes:
        sessions: the sessions, whose rows are positions in `items`.
        items: the items that occur in the sessions, encoded.
        rows: the row of each item in the trained catalogue, int64 [items]; NO_ITEM if it is not there.
    """

    sessions: Sessions
    items: EncodedItems
    rows: np.ndarray

    def count(self, sessions: np.ndarray | None = None) -> np.ndarray:
        """Count the events of each item in the given sessions (default: all), int64 [items]."""
        taken = self.sessions if sessions is None else self.sessions.take(sessions)
        return np.bincount(taken.rows, minlength=len(self.rows))


@dataclass(frozen=True)
class WholeSessions:
    """Sessions of prepared data, each once and with all its events, whatever the kind of split.

    Attributes:
        data: the folder that `m2trec data` wrote.
        splits: the splits to read.
        ends: the split that repeats in full the sessions that `train` holds without their last events; None
            if the splits are not nested.
        only: ids of the items to read, as if there were no others; None for all.
    """

    data: Path
    splits: Sequence[str]
    ends: str | None = None
    only: frozenset[str] | None = None

    @classmethod
    def of(cls, data: Path, training: bool = False) -> WholeSessions:
        """Return the sessions of prepared data.

        Args:
            data: the folder that `m2trec data` wrote.
            training: whether to take only sessions that training has seen, even if only their beginnings.

        Raises:
            ArtifactError: there are no prepared data in the folder.
        """
        settings = require_manifest(data, "data")["settings"]["data"]["split"]
        if _SPLIT.validate_python(settings).is_nested:
            return cls(data, ["train", "test"], "test")
        return cls(data, ["train"] if training else SPLITS)

    def hashes(self) -> np.ndarray:
        """Return a hash of each session's id and items, uint64 [S]."""
        return np.concatenate([hashes for hashes, _, _ in self.parts()])

    def parts(self) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Yield for each file the hashes of its sessions, all items, and the lengths; none is empty."""
        again = np.empty(0, np.uint64)
        if self.ends is not None:
            again = np.concatenate([id_hashes(pd.Series(ids)) for ids, _, _ in _read(self.data, self.ends)])
        for split in self.splits:
            for ids, items, lengths in _read(self.data, split):
                wanted = np.ones(len(ids), bool)
                if split != self.ends:
                    wanted = ~np.isin(id_hashes(pd.Series(ids)), again)
                ids, items, lengths = ids[wanted], items[np.repeat(wanted, lengths)], lengths[wanted]
                if self.only is not None:
                    ids, items, lengths = _without_others(ids, items, lengths, self.only)
                yield identify(ids, pd.util.hash_array(items), offsets_of(lengths)), items, lengths


#: Parses the settings of a split from a manifest.
_SPLIT: TypeAdapter[Split] = TypeAdapter(SplitConfig)


def read_sample(
    sessions: WholeSessions,
    workflow: Workflow,
    catalogue: Catalogue,
    seed: int,
    without: Sequence[int] | np.ndarray = (),
) -> Sample:
    """Read a sample of sessions and their items; only the sample is held in memory.

    Args:
        sessions: the sessions to read.
        workflow: the items workflow of the trained run.
        catalogue: the catalogue of the trained run.
        seed: the seed of the draw, if there are too many sessions.
        without: hashes of sessions to leave out, uint64.
    """
    taken = np.flatnonzero(~np.isin(sessions.hashes(), np.asarray(without, np.uint64)))
    if len(taken) > MOST_SESSIONS:
        drawn = np.random.default_rng(seed).choice(taken, MOST_SESSIONS, replace=False)
        taken = np.sort(drawn)
    items, lengths, before = [], [], 0
    for hashes, of_part, lengths_of_part in sessions.parts():
        first, last = np.searchsorted(taken, [before, before + len(hashes)])
        wanted = np.zeros(len(hashes), dtype=bool)
        wanted[taken[first:last] - before] = True
        items.append(of_part[np.repeat(wanted, lengths_of_part)])
        lengths.append(lengths_of_part[wanted])
        before += len(hashes)
    distinct, positions = np.unique(np.concatenate(items), return_inverse=True)
    offsets = offsets_of(np.concatenate(lengths))
    encoded = _encode(sessions.data, distinct, workflow, catalogue)
    return Sample(Sessions(positions, offsets), encoded, catalogue.rows_of(distinct.tolist()))


def _read(data: Path, split: str) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield for each file of a split the ids of its sessions, the items of all events, and the lengths."""
    for part in find_parts(data, split):
        events = read_part(part, [SESSION_ID, ITEM_ID])
        ids = events[SESSION_ID].astype(str).to_numpy(object)
        items = events[ITEM_ID].astype(str).to_numpy(object)
        starts = run_starts(numbered(events[SESSION_ID])[0])
        yield ids[starts], items, np.diff(np.append(starts, len(ids)))


def _without_others(
    ids: np.ndarray, items: np.ndarray, lengths: np.ndarray, only: frozenset[str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return sessions without events of items not in `only`, dropping sessions that have no events left."""
    there = pd.Series(items).isin(only).to_numpy()
    left = np.diff(np.append(0, np.cumsum(there))[offsets_of(lengths)])
    return ids[left > 0], items[there], left[left > 0]


def _encode(data: Path, ids: np.ndarray, workflow: Workflow, catalogue: Catalogue) -> EncodedItems:
    with reading(data / ITEMS_FILE, "data"):
        table = pq.read_table(data / ITEMS_FILE).to_pandas(integer_object_nulls=True)
    found = IdIndex(table[ITEM_ID].astype(str)).find(pd.Series(ids, dtype=object))
    assert (found >= 0).all(), "sessions hold items of the table alone"
    encoded = encode_items(workflow, table.iloc[found])
    return {
        name: EncodedColumn.from_arrow(
            column.field, pa.array(encoded[name].tolist(), column.field.arrow_type)
        )
        for name, column in catalogue.attributes.items()
    }
