"""Sessions of prepared data, and their items as the workflow of a trained run encodes them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from nvtabular import Workflow

from m2trec_merlin.arrays import run_starts
from m2trec_merlin.artifacts import reading
from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.encoded import EncodedColumn, EncodedItems
from m2trec_merlin.ids import IdIndex
from m2trec_merlin.preprocessing.parts import find_parts, read_part
from m2trec_merlin.readers.canonical import ITEM_ID, SESSION_ID
from m2trec_merlin.runs.folder import ITEMS_FILE
from m2trec_merlin.sessions import Sessions
from m2trec_merlin.workflows.items import encode_items

#: Sessions that are looked at, drawn where there are more.
MOST_SESSIONS = 50_000


@dataclass(frozen=True)
class Sample:
    """Some sessions.

    Attributes:
        sessions: their events, as positions in the items.
        items: the items that occur, encoded.
        rows: int64 [items], rows of the trained catalogue; NO_ITEM for items that it does not hold.
    """

    sessions: Sessions
    items: EncodedItems
    rows: np.ndarray

    def count(self, sessions: np.ndarray | None = None) -> np.ndarray:
        """Return the events of each item in some of the sessions, int64 [items]; default: in all."""
        taken = self.sessions if sessions is None else self.sessions.take(sessions)
        return np.bincount(taken.rows, minlength=len(self.rows))


def session_ids(data: Path, splits: Sequence[str]) -> set[str]:
    """Return the ids of the sessions of some splits, as texts."""
    found: set[str] = set()
    for ids, _, _ in _parts(data, splits):
        found.update(ids)
    return found


def read_sample(
    data: Path,
    splits: Sequence[str],
    workflow: Workflow,
    catalogue: Catalogue,
    seed: int,
    without: frozenset[str] | set[str] = frozenset(),
) -> Sample:
    """Read sessions and their items.

    Args:
        data: folder that `m2trec data` wrote.
        splits: whose sessions are read.
        workflow: of the trained run.
        catalogue: of the trained run.
        seed: of the draw, where there are too many sessions.
        without: ids of sessions, as texts, to leave out.
    """
    items, lengths = [], []
    for ids, parts_items, parts_lengths in _parts(data, splits):
        wanted = np.array([name not in without for name in ids], dtype=bool)
        items.append(parts_items[np.repeat(wanted, parts_lengths)])
        lengths.append(parts_lengths[wanted])
    all_lengths = np.concatenate(lengths)
    distinct, positions = np.unique(np.concatenate(items).astype(str), return_inverse=True)
    sessions = Sessions(positions, np.concatenate([[0], np.cumsum(all_lengths)]).astype(np.int64))
    if len(sessions) > MOST_SESSIONS:
        drawn = np.random.default_rng(seed).choice(len(sessions), MOST_SESSIONS, replace=False)
        sessions = sessions.take(np.sort(drawn))
    return Sample(sessions, _encode(data, distinct, workflow, catalogue), _rows(catalogue, distinct))


def _parts(data: Path, splits: Sequence[str]) -> Iterator[tuple[list[str], np.ndarray, np.ndarray]]:
    """Yield of each part the ids of its sessions, the items of all events, and the events of each session."""
    for split in splits:
        for part in find_parts(data, split):
            events = read_part(part, [SESSION_ID, ITEM_ID])
            ids = events[SESSION_ID].astype(str).to_numpy(object)
            starts = run_starts(pd.factorize(ids)[0])
            lengths = np.diff(np.append(starts, len(ids)))
            yield ids[starts].tolist(), events[ITEM_ID].astype(str).to_numpy(object), lengths


def _rows(catalogue: Catalogue, ids: np.ndarray) -> np.ndarray:
    known = IdIndex(pd.Series(catalogue.item_ids[1:].astype(str), dtype=object))
    return known.find(pd.Series(ids, dtype=object)).astype(np.int64) + 1


def _encode(data: Path, ids: np.ndarray, workflow: Workflow, catalogue: Catalogue) -> EncodedItems:
    with reading(data / ITEMS_FILE, "data"):
        table = pq.read_table(data / ITEMS_FILE).to_pandas(integer_object_nulls=True)
    found = IdIndex(table[ITEM_ID].astype(str)).find(pd.Series(ids, dtype=object))
    encoded = encode_items(workflow, table.iloc[found])
    return {
        name: EncodedColumn.from_arrow(
            column.field, pa.array(encoded[name].tolist(), column.field.arrow_type)
        )
        for name, column in catalogue.attributes.items()
    }
