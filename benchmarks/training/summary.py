"""Pure functions that turn learning curves into the measures of a table, and into a plot."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.frame.plot import Panel, draw
from benchmarks.frame.publish import Record, Records
from benchmarks.frame.publish import table as markdown_table
from benchmarks.runners.process import Look, Trained
from benchmarks.training.systems import OURS

#: Share of the best HIT@20 that counts as the same quality.
SHARE = 0.95

TIME_TO_QUALITY = "time to quality"
AT_LEAST = "time to quality, at least"


def best_hit(curves: Sequence[Trained]) -> float:
    """Return the best HIT@20 that any system reached."""
    return max(look.hit for trained in curves for look in trained.looks)


def time_to_quality(looks: Sequence[Look], quality: float) -> float | None:
    """Return the training seconds at the first look that reaches the quality, or None."""
    return next((look.seconds for look in looks if look.hit >= quality > 0), None)


def summarise(curves: Sequence[Trained], data: str) -> list[Record]:
    """Return the records of all systems.

    A ratio above 1 means that ours is faster (times, rates) or smaller (memory). For HIT@20 and MRR@20, it is
    the system's value divided by ours, so that ours is better below 1. Without our system there are no
    ratios.
    """
    quality = SHARE * best_hit(curves)
    ours = next((trained for trained in curves if trained.system == OURS), None)
    our_seconds = time_to_quality(ours.looks, quality) if ours else None
    found: list[Record] = []
    for trained in curves:
        records = Records(data, trained.commit)
        for measure, value, unit, rises in _plain_measures(trained):
            base = next((v for m, v, _, _ in _plain_measures(ours) if m == measure), None) if ours else None
            ratio = _ratio(base, value) if rises else _ratio(value, base)
            records.add(trained.system, measure, value, unit, ratio)
        seconds = time_to_quality(trained.looks, quality)
        times = {TIME_TO_QUALITY: seconds} | (
            {AT_LEAST: trained.looks[-1].seconds} if seconds is None else {}
        )
        for measure, spent in times.items():
            rounded = None if spent is None else round(spent, 1)
            records.add(trained.system, measure, rounded, "s", _ratio(spent, our_seconds))
        found += records
    return found


def _plain_measures(trained: Trained) -> list[tuple[str, float, str, bool]]:
    """Return name, value, unit, and whether the ratio is ours divided by theirs."""
    last = trained.looks[-1]
    return [
        ("sessions/s", round(last.sessions / last.seconds, 1), "1/s", True),
        ("targets/s", round(last.targets / last.seconds, 1), "1/s", True),
        ("peak memory", round(trained.peak_bytes / 2**20), "MiB", False),
        ("HIT@20", round(max(look.hit for look in trained.looks), 5), "", False),
        ("MRR@20", round(max(look.mrr for look in trained.looks), 5), "", False),
    ]


def _ratio(numerator: float | None, denominator: float | None) -> float | None:
    if numerator is None or not denominator:
        return None
    return round(numerator / denominator, 3)


def table(records: Sequence[Record]) -> str:
    """Return a Markdown table with one line per system, and ratios to ours in brackets."""
    measures = ["sessions/s", "targets/s", "peak memory", "HIT@20", "MRR@20", TIME_TO_QUALITY]
    heads = ["system", "sessions/s", "targets/s", "peak MiB", "HIT@20", "MRR@20", "time to quality, s"]
    rows = []
    for system in dict.fromkeys(record.system for record in records):
        own = {record.measure: record for record in records if record.system == system}
        never = own.get(AT_LEAST)
        last = f"never; more than {_cell(never)}" if never else _cell(own[TIME_TO_QUALITY])
        rows.append([system, *(_cell(own[measure]) for measure in measures[:-1]), last])
    return markdown_table(heads, rows)


def plot(curves: Sequence[Trained], data: str) -> str:
    """Draw HIT@20 against seconds of training."""
    lines = {trained.system: [(look.seconds, look.hit) for look in trained.looks] for trained in curves}
    level = {f"{SHARE:.0%} of the best HIT@20": SHARE * best_hit(curves)}
    panel = Panel("seconds of training", "HIT@20 on validation", lines, data, logarithmic="x", levels=level)
    return draw(panel)


def _cell(record: Record) -> str:
    assert record.value is not None
    digits = 4 if record.measure.endswith("@20") else 0
    ratio = "" if record.ratio_to_ours is None else f" ({record.ratio_to_ours:.2f})"
    return f"{record.value:,.{digits}f}{ratio}"
