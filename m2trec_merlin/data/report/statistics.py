"""All numbers of the data report, in the form of `report.json`; docs/data.md explains each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from m2trec_merlin.config import Config
from m2trec_merlin.data.counting import Counted
from m2trec_merlin.data.report.counts import SplitCounts
from m2trec_merlin.data.report.items import AttributeStatistics, EqualItems, describe_items
from m2trec_merlin.data.session_length import length_for_most_events
from m2trec_merlin.readers.canonical import SPLITS

#: Version of the form of report.json; raised when a key changes its meaning.
VERSION = 2

#: An hour, a day, a week, 30 days, a quarter, a year.
_BAR_HOURS = (1, 24, 168, 720, 2184, 8760)
_MOST_BARS = 80
_CURVE_POINTS = 100


@dataclass(frozen=True)
class SplitStatistics:
    """Statistics of one split.

    Attributes:
        sessions: number of sessions.
        events: number of events.
        items: number of distinct items.
        unseen_items: number of these items that do not occur in training.
        targets: number of events that are predicted, each from the earlier ones of its session.
        unseen_targets: number of these targets whose item does not occur in training.
        first: time of the earliest event (ISO 8601, UTC); null without times.
        last: time of the latest event.
        in_training_time: number of sessions that begin before the last hour in which training sessions begin.
        repeats: number of events whose item occurred earlier in their session.
        repeats_at_once: number of events with the same item as the previous event.
        repeating_sessions: number of sessions with repeats.
        lengths: pairs of a length in events and the number of sessions of this length.
    """

    sessions: int
    events: int
    items: int
    unseen_items: int
    targets: int
    unseen_targets: int
    first: str | None
    last: str | None
    in_training_time: int
    repeats: int
    repeats_at_once: int
    repeating_sessions: int
    lengths: list[tuple[int, int]]


@dataclass(frozen=True)
class Timeline:
    """Sessions by the time of their first event.

    Attributes:
        first: time at which the first bar begins (ISO 8601, UTC); null without times.
        hours: width of a bar in hours.
        sessions: number of sessions of each bar, by split.
    """

    first: str | None
    hours: int
    sessions: dict[str, list[int]]


@dataclass(frozen=True)
class PopularitySpread:
    """The distribution of training events over items.

    Attributes:
        items: number of items with training events.
        top_1_percent: share of events with the most popular 1 % of these items, which are at least one.
        top_10_percent: share of events with the most popular 10 %.
        once: number of items with a single event.
        curve: rank of an item (the most popular is 1), its events, and the share of events up to it, at
            increasingly distant ranks.
    """

    items: int
    top_1_percent: float
    top_10_percent: float
    once: int
    curve: list[tuple[int, int, float]]


@dataclass(frozen=True)
class NotTrainedOn:
    """Sessions, items and events that are not used in training.

    Attributes:
        short_sessions: number of sessions left out for having fewer than `min_session_length` events.
        cold_items: number of items drawn for `data.cold_item_share`.
        cold_sessions: number of training and validation sessions left out for holding a cold item.
        long_sessions: number of training sessions with more than `max_session_length` events.
        cut_events: number of their events before the last `max_session_length`, which preprocessing cuts.
    """

    short_sessions: int
    cold_items: int
    cold_sessions: int
    long_sessions: int
    cut_events: int


@dataclass(frozen=True)
class DataStatistics:
    """All statistics of the data.

    Attributes:
        version: version of the form of report.json.
        name: name of the run.
        source: name of the data.
        settings: settings of `data` that the numbers depend on.
        sessions: number of all sessions, without those that are too short.
        items: number of items in the table.
        splits: statistics of train, valid and test.
        timeline: sessions over time.
        popularity: popularity of items in training.
        left_out: what training does not use.
        attributes: statistics of each attribute, in the order of the configuration.
        equal_items: statistics of items that no attribute distinguishes.
        notices: warnings of the validation.
    """

    version: int
    name: str
    source: str
    settings: dict[str, Any]
    sessions: int
    items: int
    splits: dict[str, SplitStatistics]
    timeline: Timeline
    popularity: PopularitySpread
    left_out: NotTrainedOn
    attributes: list[AttributeStatistics]
    equal_items: EqualItems
    notices: list[str]


def describe(config: Config, source: str, counted: Counted) -> DataStatistics:
    """Return all statistics of the data.

    Args:
        config: the run's configuration.
        source: name of the data.
        counted: the valid tables, and the counts of their splits.
    """
    data, splits = counted.data, dict(zip(SPLITS, counted.splits, strict=True))
    train = splits["train"]
    suggested = length_for_most_events(train.lengths, config.data.min_session_length)
    longest = config.data.max_session_length or suggested
    beyond = np.arange(len(train.lengths)) - longest
    attributes, equal = describe_items(data.items, config.attributes, config.titles_from, train.events)
    return DataStatistics(
        version=VERSION,
        name=config.name,
        source=source,
        settings={
            "min_session_length": config.data.min_session_length,
            "max_session_length": longest,
            "split": config.data.split.model_dump(mode="json"),
        },
        sessions=data.sessions,
        items=len(data.items),
        splits={name: _describe_split(counts, train) for name, counts in splits.items()},
        timeline=_timeline(splits),
        popularity=_popularity(train.events),
        left_out=NotTrainedOn(
            data.short_sessions,
            int(counted.cold.sum()),
            counted.cold_sessions,
            long_sessions=int(train.lengths[beyond > 0].sum()),
            cut_events=int((train.lengths * beyond.clip(0)).sum()),
        ),
        attributes=attributes,
        equal_items=equal,
        notices=data.notices,
    )


def _describe_split(counts: SplitCounts, train: SplitCounts) -> SplitStatistics:
    unseen = train.events == 0
    in_training_time = counts.hours[counts.hours.index < train.hours.index.max()]
    return SplitStatistics(
        sessions=counts.sessions,
        events=counts.total,
        items=int((counts.events > 0).sum()),
        unseen_items=int(((counts.events > 0) & unseen).sum()),
        targets=int(counts.targets.sum()),
        unseen_targets=int(counts.targets[unseen].sum()),
        first=_iso(counts.first),
        last=_iso(counts.last),
        in_training_time=int(in_training_time.sum()),
        repeats=counts.repeats,
        repeats_at_once=counts.repeats_at_once,
        repeating_sessions=counts.repeating_sessions,
        lengths=[(int(n), int(counts.lengths[n])) for n in np.flatnonzero(counts.lengths)],
    )


def _iso(time: np.datetime64) -> str | None:
    return None if np.isnat(time) else str(time.astype("datetime64[s]"))


def _timeline(splits: Mapping[str, SplitCounts]) -> Timeline:
    timed = [counts.hours.index for counts in splits.values() if len(counts.hours)]
    if not timed:
        return Timeline(None, 1, {name: [] for name in splits})
    first, last = (
        int(edge) for edge in (min(hours.min() for hours in timed), max(hours.max() for hours in timed))
    )
    if last - first >= _MOST_BARS:
        first -= first % 24
    span = last - first + 1
    longest = -(-span // (24 * _MOST_BARS)) * 24
    width = next((width for width in _BAR_HOURS if span <= width * _MOST_BARS), longest)
    n_bars = -(-span // width)
    sessions = {
        name: np.bincount((counts.hours.index - first) // width, counts.hours, minlength=n_bars)
        for name, counts in splits.items()
    }
    begin = _iso(np.datetime64(first, "h"))
    return Timeline(begin, width, {name: bars.astype(int).tolist() for name, bars in sessions.items()})


def _popularity(events: np.ndarray) -> PopularitySpread:
    ranked = np.sort(events[events > 0])[::-1]
    if not len(ranked):
        return PopularitySpread(0, 0.0, 0.0, 0, [])
    reached = np.cumsum(ranked) / ranked.sum()
    places = np.unique(np.geomspace(1, len(ranked), _CURVE_POINTS).round().astype(np.int64))

    def top(share: float) -> float:
        return float(reached[max(round(share * len(ranked)), 1) - 1])

    return PopularitySpread(
        items=len(ranked),
        top_1_percent=top(0.01),
        top_10_percent=top(0.1),
        once=int((ranked == 1).sum()),
        curve=[(int(r), int(ranked[r - 1]), float(reached[r - 1])) for r in places],
    )
