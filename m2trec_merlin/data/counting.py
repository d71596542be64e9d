"""Divide valid sessions into the splits, and count each split, with or without writing it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from m2trec_merlin.column_names import ITEM_ID, POSITION, SESSION_ID
from m2trec_merlin.config import Config
from m2trec_merlin.data.event_columns import EventColumns
from m2trec_merlin.data.item_order import ItemOrder
from m2trec_merlin.data.report.counts import SplitCounts
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
from m2trec_merlin.ids import numbered
from m2trec_merlin.progress import SILENT, Progress
from m2trec_merlin.readers import Source
from m2trec_merlin.readers.canonical import SPLITS, KnownItems

#: Sessions up to which a split may be empty as there are too few of them.
_FEW = 100


@dataclass(frozen=True)
class Counted:
    """The contents of the splits, counted.

    Attributes:
        data: the valid tables.
        splits: counts of each split, in the order of `SPLITS`.
        cold: mask of the items drawn to be cold, bool [items].
        cold_sessions: number of sessions left out because of cold items.
    """

    data: ValidData
    splits: Sequence[SplitCounts]
    cold: np.ndarray
    cold_sessions: int

    def as_dict(self) -> dict[str, Any]:
        """Return the counts in the form of the manifest."""
        return {
            **{
                name: {
                    "sessions": counts.sessions,
                    "events": counts.total,
                    "items": int((counts.events > 0).sum()),
                }
                for name, counts in zip(SPLITS, self.splits, strict=True)
            },
            "items": len(self.data.items),
            "short_sessions": self.data.short_sessions,
            "repeated_events": sum(counts.repeats for counts in self.splits),
            "cold_items": int(self.cold.sum()),
            "cold_sessions": self.cold_sessions,
        }


def split_sessions(
    config: Config,
    source: Source,
    data: ValidData,
    write: Callable[[pd.DataFrame, str], None] | None = None,
    progress: Progress = SILENT,
) -> Counted:
    """Split valid interactions and count them.

    Args:
        config: the run's configuration.
        source: the reader of the interactions.
        data: the result of `validate`.
        write: function that receives chunks of whole sessions and the name of their split.
        progress: receives a line for each chunk.

    Raises:
        DataError: a split has no sessions, or no targets.
    """
    splits: Iterable[SplitChunk] = SplitInteractions(
        lambda: _read_chunks(config, source, data.known_items),
        config.data.split,
        config.data.min_session_length,
    )
    cold = np.zeros(len(data.items), dtype=bool)
    if config.data.cold_item_share:
        cold = draw_cold_items(splits, data.known_items, config.data.cold_item_share, config.seed)
        splits = leave_out_cold(splits, data.known_items, cold)
    nested = config.data.split.is_nested
    counts = [SplitCounts(data.known_items, last_only=nested and name != "train") for name in SPLITS]
    cold_sessions, left_out = 0, pd.Index([])
    order = ItemOrder(data.items, data.known_items)
    for chunk, split in splits:
        order.add(chunk)
        before, left_out = left_out, _distinct(chunk[SESSION_ID][split == LEFT_OUT])
        # The parts of one session are consecutive, and the session counts once.
        cold_sessions += int((~left_out.isin(before)).sum())
        for index, name in enumerate(SPLITS):
            events = chunk[split == index]
            if len(events):
                counts[index].add(events)
                if write is not None:
                    write(events, name)
        done = counts[0].sessions if nested else sum(one.sessions for one in counts)
        progress.say(f"split {done:,} of {data.sessions:,} sessions")
    notices = order.notices(source.interactions_origin.column(ITEM_ID))
    data = replace(data, notices=[*data.notices, *notices])
    counted = Counted(data, counts, cold, cold_sessions)
    _require_all_splits(config, source, counted)
    return counted


def check_data(config: Config) -> Counted:
    """Check and count both tables as the verb `data` does, but write nothing.

    Raises:
        ConfigError: an option of the source is unknown.
        DataError: the data are invalid; lists all problems.
    """
    source = config.open_source()
    return split_sessions(config, source, validate(source, config))


def _read_chunks(config: Config, source: Source, items: KnownItems) -> Iterator[pd.DataFrame]:
    more = EventColumns(config)
    for raw in source.interactions():
        events = order_events(raw, items, source.time_format, more)
        starts = np.append(events[POSITION].to_numpy() == 0, True)
        lengths = np.diff(np.flatnonzero(starts))
        kept = np.repeat(lengths >= config.data.min_session_length, lengths)
        if kept.any():
            yield events[kept].reset_index(drop=True)


def _distinct(ids: pd.Series) -> pd.Index:
    return pd.Index(ids.iloc[numbered(ids)[1]])


def _require_all_splits(config: Config, source: Source, counted: Counted) -> None:
    kind, hints, cold = config.data.split.kind, config.data.split.hints, int(counted.cold.sum())
    problems = []
    for split, counts in zip(SPLITS, counted.splits, strict=True):
        if not counts.sessions:
            problems.append(
                f"no session is left for '{split}' after splitting by {kind}"
                + (f" and taking out {cold:,} cold items" if cold else "")
                + ": change data.split"
                + (f" ({hints[split]})" if split in hints else "")
                + (" or data.cold_item_share" if cold else "")
            )
        elif not counts.targets.any():
            where = "ends a session" if counts.last_only else "follows another one of its session"
            problems.append(
                f"none of the {counts.total:,} events for '{split}' is a target (data.targets) that {where}: "
                "there is nothing to predict; change data.targets or data.split"
            )
    left_out = [notice for notice in source.notices if " left out: " in notice]
    sessions = counted.data.sessions
    if left_out and sessions < _FEW and any(not counts.sessions for counts in counted.splits):
        # A split is no remedy where hardly anything is left.
        problems.insert(0, f"{'; '.join(left_out)}; {sessions:,} sessions are left to split")
    if problems:
        raise DataError(source.name, problems)
