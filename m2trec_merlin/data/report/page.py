"""The data report as an HTML page."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from html import escape
from pathlib import Path

import numpy as np

from m2trec_merlin.attributes.profiles import weighted_quantiles
from m2trec_merlin.data.report.findings import find
from m2trec_merlin.data.report.items import AttributeStatistics, EqualGroup
from m2trec_merlin.data.report.plots import STYLE, plot_bars, plot_curve
from m2trec_merlin.data.report.statistics import DataStatistics
from m2trec_merlin.pages import CARDS, render_page, render_table
from m2trec_merlin.shares import counted, percent

_LENGTH_BARS = 40
_STYLE = (
    STYLE
    + CARDS
    + """
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(30rem, 100%), 1fr));
  gap: 0 1.5rem }
.bar { position: relative; display: flex; justify-content: space-between; gap: 1rem; margin: 2px 0;
  padding: 1px 6px; font-size: 13px } .bar span { position: relative; overflow-wrap: anywhere }
.bar span + span { white-space: nowrap }
.bar i { position: absolute; inset: 0 auto 0 0; background: var(--a); opacity: .22; border-radius: 3px }
.bar.gap i { background: var(--b); opacity: .35 }
"""
)


def write_report(statistics: DataStatistics, page: Path, numbers: Path) -> None:
    """Write the report as a page and as JSON."""
    findings = find(statistics)
    page.write_text(to_html(statistics, findings), encoding="utf-8")
    content = {"findings": findings, **asdict(statistics)}
    numbers.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def to_html(s: DataStatistics, findings: Sequence[str]) -> str:
    """Return the content of report.html.

    Args:
        s: all statistics.
        findings: sentences at the beginning.
    """
    sentences = "".join(f"<li>{escape(sentence)}</li>" for sentence in findings)
    body = (
        f'<p class="soft">{escape(s.source)}, split by {escape(str(s.settings["split"]["kind"]))}</p>'
        f"<h2>What to notice before training</h2><ol class=findings>{sentences}</ol>"
        f"<h2>Splits</h2>{_splits(s)}"
        f"<h2>Sessions</h2><div class=plots>{_lengths(s)}{_times(s)}</div>{_repeats(s)}"
        f"<h2>Popularity</h2>{_popularity(s)}"
        f"<h2>Attributes of the items</h2>{_attributes(s)}"
        f"<h2>Items that metadata cannot tell apart</h2>{_equal(s)}"
        f"<h2>What is left out, and why</h2>{_left_out(s)}"
        '<p class="soft">The same numbers are in report.json beside this page.</p>'
    )
    return render_page(f"The data of {s.name}", body, _STYLE)


def _splits(s: DataStatistics) -> str:
    headings = [
        "",
        "sessions",
        "events",
        "items",
        "never in training",
        "targets",
        "of items never in training",
    ]
    with_times = any(split.first for split in s.splits.values())
    rows = []
    for name, split in s.splits.items():
        row = [name, f"{split.sessions:,}", f"{split.events:,}", f"{split.items:,}"]
        if name == "train":
            row += ["", f"{split.targets:,}", ""]
        else:
            row += [
                f"{split.unseen_items:,} ({percent(split.unseen_items, split.items)})",
                f"{split.targets:,}",
                f"{split.unseen_targets:,} ({percent(split.unseen_targets, split.targets)})",
            ]
        times = [_plain(split.first), _plain(split.last)]
        rows.append([*row, *(times if with_times else [])])
    return render_table(
        "Targets are the events that are predicted, each from those before it in its session.",
        [*headings, *(["first event (UTC)", "last event"] if with_times else [])],
        rows,
    )


def _plain(time: str | None) -> str:
    return (time or "").replace("T", " ")


def _lengths(s: DataStatistics) -> str:
    longest = max(length for split in s.splits.values() for length, _ in split.lengths)
    least, most = s.settings["min_session_length"], s.settings["max_session_length"]
    width = max(1, -(-(min(longest, _wide(s)) - least + 1) // _LENGTH_BARS))
    n_bars = -(-(min(longest, _wide(s)) - least + 1) // width)
    bars = {name: [0] * n_bars for name in s.splits}
    for name, split in s.splits.items():
        for length, sessions in split.lengths:
            bars[name][min((length - least) // width, n_bars - 1)] += sessions
    firsts = [least + width * i for i in range(n_bars)]
    labels = [f"{first}" if width == 1 else f"{first}-{first + width - 1}" for first in firsts]
    if longest > firsts[-1] + width - 1:
        labels[-1] = f"{firsts[-1]}+"
    place = (most + 1 - least) / width
    mark = (place, f"max_session_length {most}") if place < n_bars else None
    words = (
        f"Half of the sessions have {_quantile(s, 0.5):,} events or fewer, 95 % have "
        f"{_quantile(s, 0.95):,} or fewer, the longest has {longest:,}."
    )
    return _figure(plot_bars("sessions by length", labels, bars, "events of a session", mark), words)


def _wide(s: DataStatistics) -> int:
    """Return the length up to which bars are drawn, which covers nearly all sessions and the limit."""
    return max(_quantile(s, 0.99), min(s.settings["max_session_length"] + 5, 2 * _quantile(s, 0.99)))


def _quantile(s: DataStatistics, share: float) -> int:
    lengths, sessions = np.array([pair for split in s.splits.values() for pair in split.lengths]).T
    return int(weighted_quantiles(lengths, sessions, [share])[0])


def _times(s: DataStatistics) -> str:
    line = s.timeline
    if line.first is None:
        return '<p class="soft">The interactions have no times.</p>'
    # Labels are days, or hours if there are only a few days.
    shown = len("2024-01-01" if line.hours >= 24 else "2024-01-01T10:00")
    starts = np.datetime64(line.first) + np.arange(len(line.sessions["train"])) * np.timedelta64(
        line.hours, "h"
    )
    labels = [_plain(str(start)[:shown]) for start in starts]
    bar = {1: "an hour", 24: "a day"}.get(line.hours, f"{line.hours // 24} days")
    first_event = min(split.first for split in s.splits.values() if split.first)
    last_event = max(split.last for split in s.splits.values() if split.last)
    return _figure(
        plot_bars("sessions over time", labels, line.sessions, f"first event; a bar is {bar}"),
        f"From {_plain(first_event)} to {_plain(last_event)} (UTC).",
    )


def _repeats(s: DataStatistics) -> str:
    rows = [
        [
            name,
            percent(split.repeats, split.events),
            percent(split.repeats_at_once, split.events),
            percent(split.repeating_sessions, split.sessions),
        ]
        for name, split in s.splits.items()
    ]
    headings = ["", "events that repeat an item", "the item just before", "sessions with a repeat"]
    return render_table("Repeats within sessions; they are kept.", headings, rows)


def _popularity(s: DataStatistics) -> str:
    p = s.popularity
    words = (
        f"{p.items:,} of {s.items:,} items occur in training, {p.once:,} of them once. The most "
        f"popular 1 % of these have {percent(p.top_1_percent)} of the events, 10 % have "
        f"{percent(p.top_10_percent)}."
    )
    ranks = "rank of the item; 1 is the most popular"
    marks = [(max(p.items * share, 1), text) for share, text in ((0.01, "1 % of the items"), (0.1, "10 %"))]
    by_rank = plot_curve("training events by rank", [(r, n) for r, n, _ in p.curve], ranks, log_y=True)
    shares = plot_curve(
        "share of training events up to a rank", [(r, t) for r, _, t in p.curve], ranks, marks=marks
    )
    return f"<p>{words}</p><div class=plots>{_figure(by_rank)}{_figure(shares)}</div>"


def _attributes(s: DataStatistics) -> str:
    cards = "".join(_card(attribute, s) for attribute in s.attributes)
    return f'<div class="cards">{cards}</div>'


def _card(a: AttributeStatistics, s: DataStatistics) -> str:
    events = s.splits["train"].events
    column = "" if a.column == a.name else f", column {a.column}"
    gaps = (
        f"missing for {percent(a.missing, s.items)} of items, {percent(a.missing_events, events)} of "
        "training events"
    )
    what = "lists of values" if a.profile.counted == "values" else "values"
    parts = [
        f'<h3>{escape(a.name)} <small class="soft">{escape(a.kind + column)}</small></h3>',
        _bar("gap", gaps, f"{a.missing:,}", a.missing / s.items),
        f"<p>{a.distinct:,} different {what}</p>",
    ]
    most = max((count for _, count in a.profile.frequent), default=1)
    parts += [_bar("", value, f"{count:,}", count / most) for value, count in a.profile.frequent]
    parts += [
        _quantiles("", a.profile.quantiles),
        _quantiles(f"{a.profile.counted} of an item: ", a.profile.lengths),
    ]
    if a.profile.too_long is not None:
        share = percent(a.profile.too_long, s.items)
        parts.append(f"<p>{share} of items have more {a.profile.counted} than max_tokens</p>")
    return f'<div class="card">{"".join(parts)}</div>'


def _quantiles(what: str, quantiles: Mapping[str, float]) -> str:
    if not quantiles:
        return ""
    low, middle, high, end = (f"{quantiles[share]:,.6g}" for share in ("0", "0.5", "0.95", "1"))
    return f"<p>{what}least {low}, median {middle}, 95 % at most {high}, most {end}</p>"


def _bar(kind: str, text: str, number: str, share: float) -> str:
    return (
        f'<div class="bar {kind}"><i style="width:{100 * share:.1f}%"></i><span>{escape(text)}</span>'
        f"<span>{escape(number)}</span></div>"
    )


def _equal(s: DataStatistics) -> str:
    equal = s.equal_items
    events = s.splits["train"].events
    if not equal.items:
        return "<p>No two items are equal in all configured attributes.</p>"
    words = (
        f"{equal.items:,} items ({percent(equal.items, s.items)}) are equal to another one in all configured "
        f"attributes, in {equal.groups:,} groups. {equal.without_metadata:,} items have no value at all. "
        f"{percent(events - equal.without_metadata_events, events)} of training events are of items with "
        "metadata. The biggest groups:"
    )
    rows = [
        [_describe(group), f"{group.items:,}", f"{group.training_events:,}", ", ".join(group.item_ids)]
        for group in equal.largest
    ]
    table = render_table("", ["what they share", "items", "training events", "for example"], rows)
    return f"<p>{words}</p>{table}"


def _describe(group: EqualGroup) -> str:
    title = next((title for title in group.titles if title), "(no title)")
    others = [value for value in group.values.values() if value not in group.titles]
    return " · ".join([title, *others])


def _left_out(s: DataStatistics) -> str:
    out = s.left_out
    train = s.splits["train"]
    least, most = s.settings["min_session_length"], s.settings["max_session_length"]
    reasons = [
        f"{counted(out.short_sessions, 'session has', 'sessions have')} fewer than {least} events "
        "(data.min_session_length).",
        f"{out.cut_events:,} events ({percent(out.cut_events, train.events)}) of {out.long_sessions:,} "
        f"training sessions come before their last {most} (data.max_session_length): preprocessing cuts "
        "them. Sessions of validation and test stay whole.",
    ]
    if out.cold_items:
        reasons.append(
            f"{counted(out.cold_sessions, 'session')} of training and validation left out for holding one of "
            f"{counted(out.cold_items, 'cold item')} (data.cold_item_share); the test keeps them."
        )
    reasons += [
        f"{a.name}: {counted(a.profile.too_long, 'item has', 'items have')} more {a.profile.counted} than "
        "max_tokens; the rest is cut."
        for a in s.attributes
        if a.profile.too_long
    ]
    reasons += s.notices
    return f"<ul>{''.join(f'<li>{escape(reason)}</li>' for reason in reasons)}</ul>"


def _figure(svg: str, words: str = "") -> str:
    caption = f"<figcaption>{escape(words)}</figcaption>" if words else ""
    return f"<figure>{svg}{caption}</figure>"
