"""A catalogue and sessions small enough to reason about, shared by the tests of model and training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.config import Config
from m2trec_merlin.encoded import EncodedColumn, EncodedItems, Field, Layout
from m2trec_merlin.sessions import Sessions, event_metadata

ATTRIBUTES: list[dict[str, Any]] = [
    {"name": "title", "kind": "text", "pair_buckets": 64},
    {"name": "category", "kind": "categorical"},
    {"name": "tags", "kind": "multi_categorical"},
    {"name": "price", "kind": "numeric"},
    {"name": "image", "kind": "vector", "size": 3},
]
#: Of events: one of each layout.
EVENT_ATTRIBUTES: list[dict[str, Any]] = [
    {"name": "event_type", "kind": "categorical"},
    {"name": "flags", "kind": "multi_categorical"},
    {"name": "paid", "kind": "numeric"},
    {"name": "place", "kind": "vector", "size": 2},
]
EVENT_FIELDS = [
    Field("event_type", Layout.IDS, 6),
    Field("flags", Layout.ID_LISTS, 7),
    Field("paid", Layout.NUMBERS),
    Field("place", Layout.VECTORS, 2),
]


def ragged(lists: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    values = np.array([v for values in lists for v in values], dtype=np.int64)
    return values, np.cumsum([0, *map(len, lists)], dtype=np.int64)


def tiny_catalogue(n_items: int = 30, n_seen: int = 24, seed: int = 0) -> Catalogue:
    """Items with all five kinds of attributes; the first `n_seen` occur in training."""
    random = np.random.default_rng(seed)
    rows = n_items + 1

    def lists(vocabulary: int, longest: int) -> tuple[np.ndarray, np.ndarray]:
        drawn = [
            list(random.integers(3, vocabulary, random.integers(1, longest + 1))) for _ in range(n_items)
        ]
        return ragged([[1], *drawn])

    title, title_offsets = lists(40, 6)
    tags, tags_offsets = lists(9, 3)
    price = random.normal(size=rows).astype(np.float32)
    image = random.normal(size=(rows, 3)).astype(np.float32)
    price[0], image[0] = 0, 0
    category = np.concatenate([[1], random.integers(3, 8, n_items)])
    counts = np.concatenate([[0], np.arange(n_seen, 0, -1), np.zeros(n_items - n_seen)]).astype(np.int64)
    return Catalogue(
        item_ids=np.arange(100, 100 + rows),
        train_counts=counts,
        attributes={
            "title": EncodedColumn(Field("title", Layout.ID_LISTS, 40), title, title_offsets),
            "category": EncodedColumn(Field("category", Layout.IDS, 8), category),
            "tags": EncodedColumn(Field("tags", Layout.ID_LISTS, 9), tags, tags_offsets),
            "price": EncodedColumn(Field("price", Layout.NUMBERS, 1), price),
            "image": EncodedColumn(Field("image", Layout.VECTORS, 3), image),
        },
    )


def permuted(catalogue: Catalogue, order: np.ndarray) -> Catalogue:
    """The same items in another row order; row 0 stays."""
    columns = {name: column.take(order) for name, column in catalogue.attributes.items()}
    return Catalogue(catalogue.item_ids[order], catalogue.train_counts[order], columns)


def tiny_config(**sections: Any) -> Config:
    """A model of width 16 over all attributes; keyword arguments replace parts of sections."""
    model: dict[str, Any] = {
        "width": 16,
        "min_dim": 8,
        "session": {"heads": 2, "feedforward": 32, **sections.pop("session", {})},
        "next_item": {"negatives": 8, **sections.pop("next_item", {})},
        "next_attributes": [{"attribute": "category"}],
        **sections.pop("model", {}),
    }
    data = {"source": "synthetic", "max_session_length": 6, **sections.pop("data", {})}
    training = {
        "epochs": 2,
        "batch_size": 8,
        "warmup_steps": 2,
        "precision": "float32",
        **sections.pop("training", {}),
    }
    sections.setdefault("attributes", ATTRIBUTES)
    return Config.model_validate(
        {"name": "tiny", "data": data, "model": model, "training": training, **sections}
    )


def tiny_sessions(count: int = 40, n_items: int = 24, longest: int = 6, seed: int = 1) -> Sessions:
    """Sessions that walk up the rows, so that there is something to learn."""
    random = np.random.default_rng(seed)
    sessions = []
    for _ in range(count):
        start, length = random.integers(1, n_items + 1), random.integers(2, longest + 1)
        sessions.append([int((start + step - 1) % n_items + 1) for step in range(length)])
    return Sessions.from_lists(sessions)


def event_values(count: int, seed: int) -> EncodedItems:
    """Attributes of so many events, at random."""
    random = np.random.default_rng(seed)
    flags = ragged([list(random.integers(1, 7, random.integers(1, 4))) for _ in range(count)])
    values = (
        (random.integers(1, 6, count),),
        flags,
        (random.normal(size=count).astype(np.float32),),
        (random.normal(size=(count, 2)).astype(np.float32),),
    )
    return {f.name: EncodedColumn(f, *own) for f, own in zip(EVENT_FIELDS, values, strict=True)}


def with_events(sessions: Sessions, seed: int = 5) -> Sessions:
    """The same sessions, of events with attributes."""
    return replace(sessions, attributes=event_values(len(sessions.rows), seed))


def write_sessions(folder: Path, sessions: Sessions, files: int = 1) -> Path:
    """Write sessions as the sessions workflow does."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, part in enumerate(np.array_split(np.arange(len(sessions)), files)):
        rows = [sessions[i].tolist() for i in part]
        table = pa.table({"session_id": part, "row": pa.array(rows, pa.list_(pa.int64()))})
        own = sessions.take(part)
        for name, column in own.attributes.items():
            events = pa.array([_plain(column, e) for e in range(len(column))], column.field.arrow_type)
            table = table.append_column(
                name, pa.ListArray.from_arrays(pa.array(own.offsets, pa.int32()), events)
            )
        if own.is_target is not None:
            lists = pa.ListArray.from_arrays(pa.array(own.offsets, pa.int32()), pa.array(own.is_target))
            table = table.append_column("is_target", lists)
        table = table.replace_schema_metadata(event_metadata([c.field for c in own.attributes.values()]))
        pq.write_table(table, folder / f"part-{number:05d}.parquet")
    return folder


def _plain(column: EncodedColumn, event: int) -> Any:
    values = column.of(event)
    return values.tolist() if column.field.layout is Layout.ID_LISTS else values.tolist()[0]
