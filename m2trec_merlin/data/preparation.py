"""The verb `data`: read a source, validate it, split it, and write the two canonical tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from m2trec_merlin.artifacts import atomic_directory, require_manifest, write_manifest
from m2trec_merlin.config import Config
from m2trec_merlin.data import report
from m2trec_merlin.data.report import SplitCounts
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
from m2trec_merlin.runs import Run
from m2trec_merlin.runs.folder import (
    COLD_ITEMS_FILE,
    INTERACTIONS,
    ITEMS_FILE,
    REPORT_NUMBERS,
    REPORT_PAGE,
)


def prepare_data(config: Config, force: bool = False, progress: Progress = SILENT) -> Path:
    """Write `data/` of a run: interactions/{train,valid,test}/part-*.parquet, items.parquet, manifest.json,
    and a report of what is in them.

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
        ConfigError: an option of the source is unknown.
        DataError: the data are invalid; all problems at once.
    """
    source = config.data.open(config.seed)
    step = Run(config).step("data")
    target = step.folder
    inputs = step.inputs(seed=config.seed, source=source.state(), report=_report_settings(config))
    if not force and step.is_current(inputs):
        progress.say(f"{target} is up to date")
        return target
    progress.say(f"reading and checking {source.name}")
    data = validate(source, config)
    progress.say(f"{data.sessions:,} sessions of {data.events:,} events, {len(data.items):,} items: valid")
    with atomic_directory(target) as folder:
        progress.say(f"splitting by {config.data.split.kind}")
        data.items.to_parquet(folder / ITEMS_FILE, index=False)
        counted = split_sessions(config, source, data, progress, _SplitWriter(folder / INTERACTIONS))
        if config.data.cold_item_share:
            pq.write_table(pa.table({ITEM_ID: data.known_items.ids[counted.cold]}), folder / COLD_ITEMS_FILE)
        statistics = report.describe(
            config, source.name, data, counted.splits, int(counted.cold.sum()), counted.cold_sessions
        )
        report.write(statistics, folder / REPORT_PAGE, folder / REPORT_NUMBERS)
        write_manifest(
            folder,
            "data",
            inputs,
            source=source.name,
            counts=counted.as_dict(data),
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


@dataclass(frozen=True)
class Counted:
    """What is in the splits.

    Attributes:
        splits: in the order of `SPLITS`.
        cold: bool [items], which were drawn to be cold.
        cold_sessions: sessions left out for their sake.
    """

    splits: Sequence[SplitCounts]
    cold: np.ndarray
    cold_sessions: int

    def as_dict(self, data: ValidData) -> dict[str, Any]:
        """Return the counts as the manifest has them."""
        return {
            **{
                name: {
                    "sessions": counts.sessions,
                    "events": counts.total,
                    "items": int((counts.events > 0).sum()),
                }
                for name, counts in zip(SPLITS, self.splits, strict=True)
            },
            "items": len(data.items),
            "short_sessions": data.short_sessions,
            "repeated_events": sum(counts.repeats for counts in self.splits),
            "cold_items": int(self.cold.sum()),
            "cold_sessions": self.cold_sessions,
        }


def split_sessions(
    config: Config,
    source: Source,
    data: ValidData,
    progress: Progress = SILENT,
    writer: _SplitWriter | None = None,
) -> Counted:
    """Split valid interactions and count them; write them if there is a writer.

    Raises:
        DataError: a split is left without sessions.
    """
    splits: Iterable[SplitChunk] = SplitInteractions(
        lambda: _read_chunks(config, source, data.known_items), config.data.split
    )
    cold = np.zeros(len(data.items), dtype=bool)
    if config.data.cold_item_share:
        cold = draw_cold_items(splits, data.known_items, config.data.cold_item_share, config.seed)
        splits = leave_out_cold(splits, data.known_items, cold)
    counts = [SplitCounts(data.known_items) for _ in SPLITS]
    cold_sessions = 0
    for chunk, split in splits:
        cold_sessions += int(((chunk[POSITION].to_numpy() == 0) & (split == LEFT_OUT)).sum())
        for index, name in enumerate(SPLITS):
            events = chunk[split == index]
            if len(events):
                counts[index].add(events)
                if writer is not None:
                    writer.add(events, name)
        done = sum(one.sessions for one in counts)
        progress.say(f"split {done:,} of {data.sessions:,} sessions")
    counted = Counted(counts, cold, cold_sessions)
    _require_all_splits(config, source, counted.as_dict(data))
    return counted


def _report_settings(config: Config) -> dict[str, Any]:
    """What the report depends on beyond the tables. A later step that reads these alone does not ask."""
    return {
        "version": report.VERSION,
        "name": config.name,
        "max_session_length": config.data.max_session_length,
        "attributes": [attribute.preprocessing_settings() for attribute in config.attributes],
    }


class _SplitWriter:
    """Writes a part file per chunk and split."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._parts: Counter[str] = Counter()
        self._schema: pa.Schema | None = None
        for split in SPLITS:
            (folder / split).mkdir(parents=True)

    def add(self, events: pd.DataFrame, split: str) -> None:
        events = events.drop(columns=SPLIT, errors="ignore")
        table = pa.Table.from_pandas(events, schema=self._schema, preserve_index=False)
        self._schema = table.schema.remove_metadata()
        path = self._folder / split / f"part-{self._parts[split]:05d}.parquet"
        pq.write_table(table.replace_schema_metadata(), path)
        self._parts[split] += 1


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
