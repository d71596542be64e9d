"""The verb `data`: read a source, validate it, split it, and write the two canonical tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from m2trec_merlin.artifacts import atomic_directory
from m2trec_merlin.column_names import ITEM_ID, SPLIT, TIMESTAMP
from m2trec_merlin.columns import to_arrow
from m2trec_merlin.config import Config
from m2trec_merlin.data.counting import split_sessions
from m2trec_merlin.data.report.counts import SplitCounts
from m2trec_merlin.data.report.page import write_report
from m2trec_merlin.data.report.statistics import VERSION, describe
from m2trec_merlin.data.session_length import MANIFEST_NAME, length_for_most_events
from m2trec_merlin.data.validation import validate
from m2trec_merlin.manifests import require_manifest, write_manifest
from m2trec_merlin.progress import SILENT, Progress
from m2trec_merlin.readers.canonical import SPLITS
from m2trec_merlin.readers.source import Source
from m2trec_merlin.runs import Run, Step
from m2trec_merlin.runs.definitions import PLACES
from m2trec_merlin.runs.folder import (
    COLD_ITEMS_FILE,
    INTERACTIONS,
    ITEMS_FILE,
    PART,
    REPORT_NUMBERS,
    REPORT_PAGE,
    TIMES,
)
from m2trec_merlin.shares import counted, percent
from m2trec_merlin.version import __version__

#: In a split of at least so many sessions, one session with more than this share of the events is suspicious.
_SEVERAL, _OF_ALL = 50, 0.1


def prepare_data(config: Config, force: bool = False, progress: Progress = SILENT) -> Path:
    """Write `data/` of a run: interactions of each split, items, a manifest and a report.

    Sessions below `data.min_session_length` are left out and counted. Events that repeat an item within a
    session are kept, because returning to an item is part of the session. Nothing is written if anything is
    wrong, and an earlier result is replaced only by a complete one.

    Args:
        config: the run's configuration.
        force: whether to prepare the data again even if the result is current.
        progress: receives a line at each stage and for each chunk; see `summarise_data` for the result.

    Returns:
        The folder `data`.

    Raises:
        ArtifactError: the folder cannot be written, or another process works on it.
        DataError: the data are invalid; lists all problems.
    """
    step = Run(config).step("data")
    with step.locked():
        return _prepare(config, step, force, progress)


def _prepare(config: Config, step: Step, force: bool, progress: Progress) -> Path:
    source, target = config.open_source(), step.folder
    facts = step.inputs(source=source.state(), version=__version__, report=_report_settings(config))
    inputs = {**facts, "seed": config.seed}
    if not force and step.is_current(inputs):
        progress.say(f"{target} is up to date")
        return target
    # A folder that cannot be written fails here, before hours of reading.
    with atomic_directory(target) as folder:
        places = {name: table.recorded() for name, table in step.find_tables().items()}
        progress.say(f"reading and checking {source.name}")
        data = validate(source, config)
        progress.say(
            f"{data.sessions:,} sessions of {data.events:,} events, {len(data.items):,} items: valid"
        )
        progress.say(f"splitting by {config.data.split.kind}")
        data.items.to_parquet(folder / ITEMS_FILE, index=False)
        writer = _SplitWriter(folder / INTERACTIONS, [a.name for a in config.event_attributes])
        counted = split_sessions(config, source, data, writer.add, progress)
        if config.data.cold_item_share:
            pq.write_table(pa.table({ITEM_ID: data.known_items.ids[counted.cold]}), folder / COLD_ITEMS_FILE)
        suggested = length_for_most_events(counted.splits[0].lengths, config.data.min_session_length)
        data = replace(counted.data, notices=[*counted.data.notices, *_very_long(counted.splits)])
        counted = replace(counted, data=data)
        statistics = describe(config, source.name, counted)
        if cut := statistics.left_out.cut_events:
            progress.say(
                f"{percent(cut, counted.splits[0].total)} of training events will be cut: sessions keep "
                f"their last {statistics.settings['max_session_length']} (data.max_session_length)"
            )
        write_report(statistics, folder / REPORT_PAGE, folder / REPORT_NUMBERS)
        write_manifest(
            folder,
            "data",
            inputs,
            source=source.name,
            counts=counted.as_dict(),
            repeated_events="kept",
            notices=data.notices,
            **{MANIFEST_NAME: suggested, TIMES: _times_of(source), PLACES: places},
        )
    return target


def summarise_data(directory: Path) -> str:
    """Return a summary of the folder `data` as a few lines of text.

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
            f"  {counted(counts['cold_items'], 'cold item')} took "
            f"{counted(counts['cold_sessions'], 'session')} out of training"
        )
    return "\n".join([*lines, *(f"  {notice}" for notice in manifest["notices"])])


def _very_long(splits: Sequence[SplitCounts]) -> Iterator[str]:
    """Yield a warning for each split where one session has a large share of all events."""
    for split, counts in zip(SPLITS, splits, strict=True):
        longest = len(counts.lengths) - 1
        if counts.sessions >= _SEVERAL and longest > _OF_ALL * counts.total:
            yield (
                f"one session holds {longest:,} of the {counts.total:,} events of {split}: if a program made "
                "it, leave it out of the interactions"
            )


def _times_of(source: Source) -> dict[str, str] | None:
    """Return the source's column and format of the times of events; None if it has no times."""
    column = source.interactions_origin.columns.get(TIMESTAMP)
    return None if column is None else {"column": column, "format": source.time_format}


def _report_settings(config: Config) -> dict[str, Any]:
    """Return what the report depends on beyond the tables; later steps, which read only these, ignore it."""
    return {
        "version": VERSION,
        "name": config.name,
        "max_session_length": config.data.max_session_length,
        "attributes": [attribute.preprocessing_settings() for attribute in config.attributes],
    }


class _SplitWriter:
    """Writer of one part file per chunk and split.

    Args:
        folder: folder to write into.
        of_any_type: names of columns whose type may differ between parts.
    """

    def __init__(self, folder: Path, of_any_type: Sequence[str]) -> None:
        self._folder = folder
        self._of_any_type = list(of_any_type)
        self._parts: Counter[str] = Counter()
        self._schema: pa.Schema | None = None
        for split in SPLITS:
            (folder / split).mkdir(parents=True)

    def add(self, events: pd.DataFrame, split: str) -> None:
        events = events.drop(columns=SPLIT, errors="ignore")
        more = events[self._of_any_type]
        table = pa.Table.from_pandas(
            events.drop(columns=self._of_any_type), schema=self._schema, preserve_index=False
        )
        self._schema = table.schema.remove_metadata()
        for name in self._of_any_type:
            table = table.append_column(name, to_arrow(more[name]))
        path = self._folder / split / PART.format(self._parts[split])
        pq.write_table(table.replace_schema_metadata(), path)
        self._parts[split] += 1
