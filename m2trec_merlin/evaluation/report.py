"""The report, a self-contained HTML file with tables, plots and explanations, and its Markdown version."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape

from m2trec_merlin.evaluation.bootstrap import CONFIDENCE_TEXT
from m2trec_merlin.evaluation.measurements import Measurement
from m2trec_merlin.evaluation.protocol import Entry
from m2trec_merlin.evaluation.tables import (
    Table,
    breakdown_table,
    category_table,
    cut_off_table,
    slice_table,
    to_html,
    to_markdown,
)
from m2trec_merlin.pages import render_page

#: Measurements on ordered slices, by the quantity that orders the slices.
Breakdowns = Mapping[str, Sequence[Measurement]]


def result_tables(measurements: Sequence[Measurement], breakdowns: Breakdowns) -> list[Table]:
    """Return the tables of a report: by slice, breakdown and cut-off, and of categories if predicted."""
    k = max(m.k for m in measurements)
    tables = [
        slice_table(measurements, k, ("HIT", "MRR")),
        slice_table(measurements, k, ("Recall", "HitRemaining")),
        *(breakdown_table(rows, k, by) for by, rows in breakdowns.items()),
        cut_off_table(measurements),
        category_table(measurements),
    ]
    return [table for table in tables if table is not None and table.lines]


def render_markdown(
    title: str, measurements: Sequence[Measurement], breakdowns: Breakdowns, protocol: Sequence[Entry]
) -> str:
    """Return the content of metrics.md."""
    parts = [f"# {title}\n"]
    parts += [
        f"## {table.title}\n\n{to_markdown(table)}" for table in result_tables(measurements, breakdowns)
    ]
    parts.append("## Scoring time\n\n" + "".join(f"- {line}\n" for line in _speeds(measurements)))
    parts.append("## How it was measured\n\n" + "".join(f"- **{term}**: {text}\n" for term, text in protocol))
    return "\n".join(parts)


def render_html(
    title: str,
    measurements: Sequence[Measurement],
    breakdowns: Breakdowns,
    protocol: Sequence[Entry],
    plots: Mapping[str, str],
) -> str:
    """Return the content of report.html.

    Args:
        title: title of the page.
        measurements: rows of metrics.json.
        breakdowns: measurements on ordered slices.
        protocol: result of `describe_protocol`.
        plots: SVG images by name.
    """
    tables = "".join(
        f'<div class="wide">{to_html(table)}</div>' for table in result_tables(measurements, breakdowns)
    )
    images = "".join(_image(name, svg) for name, svg in plots.items())
    speeds = "".join(f"<li>{escape(line)}</li>" for line in _speeds(measurements))
    terms = "".join(f"<dt>{escape(term)}</dt><dd>{escape(text)}</dd>" for term, text in protocol)
    return render_page(
        title,
        f"<p>In percent; ± is the wider side of the {CONFIDENCE_TEXT} interval; "
        "bold is the best of its column.</p>"
        f"{tables}<h2>Plots</h2>{images}<h2>Scoring time</h2><ul>{speeds}</ul>"
        f"<h2>How it was measured</h2><dl>{terms}</dl>",
    )


def _image(name: str, svg: str) -> str:
    data = base64.b64encode(svg.encode()).decode()
    return f'<img alt="{escape(name)}" src="data:image/svg+xml;base64,{data}">'


def _speeds(measurements: Sequence[Measurement]) -> list[str]:
    first = {m.model: m for m in reversed(measurements)}
    lines = []
    for model in dict.fromkeys(m.model for m in measurements):
        m = first[model]
        rate = f", {m.n / m.seconds:,.0f} prefixes/s" if m.seconds > 0 else ""
        lines.append(f"{model}: {m.seconds:,.1f} s{rate}")
    return lines
