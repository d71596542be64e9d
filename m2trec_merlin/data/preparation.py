"""The verb `data`: read a source, validate it, split it, and write the two canonical tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from m2trec_merlin import __version__
from m2trec_merlin.artifacts import atomic_directory, require_manifest, write_manifest
from m2trec_merlin.config import Config
from m2trec_merlin.data.splits import (
    LEFT_OUT,
    SplitChunk,
    SplitInteractions,
    draw_cold_items,
    leave_out_cold,
)
from m2trec_merlin.data.tables import order_events
from m2trec_merlin.data.validation import ValidData, validate
from m2trec_merlin.errors import DataError
from m2trec_merlin.progress import SILENT, Progress
from m2trec_merlin.readers import Source
from m2trec_merlin.readers.canonical import ITEM_ID, POSITION, SPLIT, SPLITS, KnownItems
from m2trec_merlin.runs import Run, Step
from m2trec_merlin.runs.folder import COLD_ITEMS_FILE, INTERACTIONS, ITEMS_FILE


def prepare_data(config: Config, force: bool = False, progress: Progress = SILENT) -> Path:
    """Write `data/` of a run: interactions/{train,valid,test}/part-*.parquet, items.parquet, manifest.json.

    Sessions below `data.min_session_length` are left out and counted. Events that repeat an item within a
    session are kept: that a shopper comes back to an item is part of the session. Nothing is written if
    anything is wrong, and an earlier result is replaced only by a complete one.

    Args:
        config: of the run.
        force: prepare again although the result is current.
        progress: is told a line at each stage and for each chunk written; `summarise_data` has the rest.

    Returns:
        the folder `data`.

    Raises:
        ArtifactError: nothing can be written there, or another process is at work there.
        DataError: the data are invalid; all problems at once.
    """
    step = Run(config).step("data")
    with step.at_work():
        return _prepare(config, step, force, progress)


def _prepare(config: Config, step: Step, force: bool, progress: Progress) -> Path:
    source, target = config.data.open(config.seed), step.folder
    inputs = step.inputs(seed=config.seed, source=source.state(), version=__version__)
    if not force and step.is_current(inputs):
        progress.say(f"{target} is up to date")
        return target
    # Whether anything can be written there shows before hours of reading.
    with atomic_directory(target) as folder:
        progress.say(f"reading and checking {source.name}")
        data = validate(source, config)
        progress.say(
            f"{data.sessions:,} sessions of {data.events:,} events, {len(data.items):,} items: valid"
        )
        progress.say(f"splitting by {config.data.split.kind}")
        counts = _write(config, source, data, folder, progress)
        _require_all_splits(config, source, counts)
        write_manifest(
            folder,
            "data",
            inputs,
            source=source.name,
            counts=counts,
            repeated_events="kept",
            notices=data.notices,
        )
    return target


def summarise_data(directory: Path) -> str:
    """Return what the folder `data` holds, as a few lines to be read by a person.

    Raises:
        ArtifactError: the verb `data` has not run.
    """
    manifest = require_manifest(directory, "data")
    counts = manifest["counts"]
    lines = [f"{manifest['source']} -> {directory}", f"  {'':<6}{'sessions':>12}{'events':>14}{'items':>12}"]
    for split in SPLITS:
        row = counts[split]
        lines.append(f"  {split:<6}{row['sessions']:>12,}{row['events']:>14,}{row['items']:>12,}")
    lines.append(
        f"  items with metadata: {counts['items']:,}; short sessions left out: {counts['short_sessions']:,}"
    )
    if counts["cold_items"]:
        lines.append(
            f"  {counts['cold_items']:,} cold items took {counts['cold_sessions']:,} sessions out of training"
        )
    return "\n".join([*lines, *(f"  {notice}" for notice in manifest["notices"])])


def _read_chunks(config: Config, source: Source, items: KnownItems) -> Iterator[pd.DataFrame]:
    for raw in source.interactions():
        events = order_events(raw, items, source.time_format)
        starts = np.append(events[POSITION].to_numpy() == 0, True)
        lengths = np.diff(np.flatnonzero(starts))
        kept = np.repeat(lengths >= config.data.min_session_length, lengths)
        if kept.any():
            yield events[kept].reset_index(drop=True)


def _write(
    config: Config, source: Source, data: ValidData, folder: Path, progress: Progress
) -> dict[str, Any]:
    splits: Iterable[SplitChunk] = SplitInteractions(
        lambda: _read_chunks(config, source, data.known_items), config.data.split
    )
    cold = np.zeros(len(data.items), dtype=bool)
    if config.data.cold_item_share:
        cold = draw_cold_items(splits, data.known_items, config.data.cold_item_share, config.seed)
        pq.write_table(pa.table({ITEM_ID: data.known_items.ids[cold]}), folder / COLD_ITEMS_FILE)
        splits = leave_out_cold(splits, data.known_items, cold)
    data.items.to_parquet(folder / ITEMS_FILE, index=False)
    writer = _SplitWriter(folder / INTERACTIONS, data.known_items)
    for chunk, split in splits:
        writer.add(chunk, split)
        progress.say(f"split {sum(writer.sessions.values()):,} of {data.sessions:,} sessions")
    return {
        **{
            name: {
                "sessions": writer.sessions[index],
                "events": writer.events[index],
                "items": int(writer.seen[index].sum()),
            }
            for index, name in enumerate(SPLITS)
        },
        "items": len(data.items),
        "short_sessions": data.short_sessions,
        "repeated_events": writer.repeated_events,
        "cold_items": int(cold.sum()),
        "cold_sessions": writer.sessions[LEFT_OUT],
    }


class _SplitWriter:
    """Writes a part file per chunk and split, and counts what it writes."""

    def __init__(self, folder: Path, items: KnownItems) -> None:
        self._folder = folder
        self._items = items
        self._parts: Counter[int] = Counter()
        self._schema: pa.Schema | None = None
        self.sessions: Counter[int] = Counter()
        self.events: Counter[int] = Counter()
        self.repeated_events = 0
        self.seen = np.zeros((len(SPLITS), len(items)), dtype=bool)
        for split in SPLITS:
            (folder / split).mkdir(parents=True)

    def add(self, chunk: pd.DataFrame, split: np.ndarray) -> None:
        starts = chunk[POSITION].to_numpy() == 0
        self.sessions[LEFT_OUT] += int((starts & (split == LEFT_OUT)).sum())
        for index, name in enumerate(SPLITS):
            events = chunk[split == index].drop(columns=SPLIT, errors="ignore")
            if events.empty:
                continue
            session = np.cumsum(events[POSITION].to_numpy() == 0)
            items = self._items.positions(events[ITEM_ID])
            self.sessions[index] += int(session[-1])
            self.events[index] += len(events)
            # One number stands for session and item.
            self.repeated_events += len(events) - len(pd.unique(session * len(self._items) + items))
            self.seen[index, items] = True
            table = pa.Table.from_pandas(events, schema=self._schema, preserve_index=False)
            self._schema = table.schema.remove_metadata()
            path = self._folder / name / f"part-{self._parts[index]:05d}.parquet"
            pq.write_table(table.replace_schema_metadata(), path)
            self._parts[index] += 1


def _require_all_splits(config: Config, source: Source, counts: dict[str, Any]) -> None:
    kind = config.data.split.kind
    hint = "valid_share_of_train takes sessions from training"
    problems = [
        f"no session is left for '{split}' after splitting by {kind}"
        + (f" and taking out {counts['cold_items']:,} cold items" if counts["cold_items"] else "")
        + ": change data.split"
        + (f" ({hint})" if (kind, split) == ("column", "valid") else "")
        + (" or data.cold_item_share" if counts["cold_items"] else "")
        for split in SPLITS
        if not counts[split]["sessions"]
    ]
    if problems:
        raise DataError(source.name, problems)
