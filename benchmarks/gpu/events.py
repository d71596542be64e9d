"""Generate any number of items and events, to time preprocessing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from m2trec_merlin.config import Config
from m2trec_merlin.manifests import write_manifest
from m2trec_merlin.runs.folder import INTERACTIONS, ITEMS_FILE, PART, RunFolder

_LENGTH, _WORDS = 8, 6


def write_shop(folder: Path, n_items: int, n_events: int, n_parts: int) -> Config:
    """Write `data/` of a run as `m2trec data` does, and return the configuration that reads it.

    Titles are six words drawn by a Zipf law; sessions have eight events, whose items are drawn by a Zipf law.
    The events of a part are in order of time, as in a log.
    """
    generator = np.random.default_rng(1)
    data = RunFolder(folder, folder).data
    data.mkdir(parents=True)
    pq.write_table(_items(generator, n_items), data / ITEMS_FILE)
    for split, share in (("train", 1.0), ("valid", 0.02), ("test", 0.02)):
        target = data / INTERACTIONS / split
        target.mkdir(parents=True)
        for part in range(n_parts if split == "train" else 1):
            size = max(1, int(n_events * share / (n_parts if split == "train" else 1) / _LENGTH))
            events = _events(generator, size, part * size, n_items)
            pq.write_table(events, target / PART.format(part))
    write_manifest(data, "data", {})
    return Config.model_validate(
        {
            "name": "shop",
            "work_dir": folder,
            "data": {"max_session_length": _LENGTH},
            "attributes": [
                {"name": "title", "kind": "text"},
                {"name": "brand", "kind": "categorical"},
                {"name": "tags", "kind": "multi_categorical"},
                {"name": "price", "kind": "numeric", "log": True},
            ],
        }
    )


def _items(generator: np.random.Generator, n_items: int) -> pa.Table:
    words = np.array([f"word{number}" for number in range(100_000)], dtype=object)
    drawn = words[_zipf(generator, len(words), n_items * _WORDS)].reshape(n_items, _WORDS)
    tags = np.array([f"tag {number}" for number in range(500)], dtype=object)
    pairs = tags[_zipf(generator, len(tags), n_items * 2)].reshape(n_items, 2)
    return pa.table(
        {
            "item_id": np.arange(n_items, dtype=np.int64),
            "title": [" ".join(line) for line in drawn],
            "brand": generator.integers(0, 20_000, n_items),
            "tags": ["|".join(line) for line in pairs],
            "price": np.round(generator.lognormal(3, 1, n_items), 2),
        }
    )


def _events(generator: np.random.Generator, n_sessions: int, first: int, n_items: int) -> pa.Table:
    n_events = n_sessions * _LENGTH
    session = np.repeat(np.arange(first, first + n_sessions, dtype=np.int64), _LENGTH)
    # Sessions overlap in time, like those of different people.
    order = np.argsort(session + generator.exponential(20, n_events), kind="stable")
    position = np.tile(np.arange(_LENGTH, dtype=np.int64), n_sessions)
    return pa.table(
        {
            "session_id": session[order],
            "item_id": _zipf(generator, n_items, n_events).astype(np.int64),
            "position": position[order],
        }
    )


def _zipf(generator: np.random.Generator, n_values: int, size: int) -> np.ndarray:
    """Draw from 0 to `n_values` - 1, value v with a weight of 1 / (v + 1)."""
    return np.exp(generator.random(size) * np.log(n_values + 1)).astype(np.int64) - 1
