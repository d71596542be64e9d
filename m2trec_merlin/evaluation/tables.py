"""Tables of measurements: models as lines, slices or cut-offs as column groups."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from m2trec_merlin.evaluation.measurements import Measurement
from m2trec_merlin.evaluation.metrics import METRICS
from m2trec_merlin.evaluation.slices import ALL

_NOTHING = "-"


@dataclass(frozen=True)
class Cell:
    """One number of a table.

    Attributes:
        value: the number in percent; None if nothing was measured.
        margin: the larger distance from the value to an end of its interval; None if unknown.
        best: whether no line has a higher value in this column.
    """

    value: float | None = None
    margin: float | None = None
    best: bool = False

    def text(self, with_margin: bool = True) -> str:
        """Return the number as shown, such as `15.41 ±0.32`."""
        if self.value is None:
            return _NOTHING
        margin = f" ±{self.margin:.2f}" if with_margin and self.margin is not None else ""
        # Four figures, so that nothing is wider than others where all is right.
        return f"{self.value:.{1 if round(self.value, 2) >= 100 else 2}f}{margin}"


@dataclass(frozen=True)
class Table:
    """A table whose columns form groups.

    Attributes:
        title: title above the table.
        groups: heading of each group, and the headings of its columns.
        lines: name of each model, and its cells.
    """

    title: str
    groups: list[tuple[str, list[str]]]
    lines: list[tuple[str, list[Cell]]]


#: A column: slice, metric, cut-off.
Column = tuple[str, str, int]


def slice_table(
    measurements: Sequence[Measurement], k: int, metrics: Sequence[str] = ("HIT", "MRR")
) -> Table:
    """Show metrics on items at one cut-off, a group of columns for each slice."""
    names = _distinct(m.slice for m in measurements)
    headings = [f"{metric}@{k}" for metric in metrics]
    groups = [(_slice_heading(measurements, name), headings) for name in names]
    columns = [(name, metric, k) for name in names for metric in metrics]
    return Table(f"Next item, K = {k}, in %", groups, _lines(measurements, columns))


def breakdown_table(measurements: Sequence[Measurement], k: int, by: str) -> Table:
    """Show HIT at one cut-off, with a column for each ordered slice that has prefixes."""
    names = _distinct(m.slice for m in measurements if m.n)
    groups = [(by, [_slice_heading(measurements, name) for name in names])]
    columns = [(name, "HIT", k) for name in names]
    return Table(f"HIT@{k} by {by}, in %", groups, _lines(measurements, columns))


def cut_off_table(measurements: Sequence[Measurement]) -> Table:
    """Show metrics on items after every prefix, a group for each metric and a column for each cut-off."""
    ks = sorted({m.k for m in measurements})
    metrics = [m.name for m in METRICS]
    groups = [(metric, [f"@{k}" for k in ks]) for metric in metrics]
    columns = [(ALL, metric, k) for metric in metrics for k in ks]
    return Table(f"Next item, slice {ALL}, in %", groups, _lines(measurements, columns))


def category_table(measurements: Sequence[Measurement]) -> Table | None:
    """Show category HIT, a group per attribute and a column per cut-off; None without predictions."""
    ks = sorted({m.k for m in measurements})
    metrics = _distinct(m.metric for m in measurements if m.metric.startswith("HIT["))
    if not metrics:
        return None
    groups = [(metric[len("HIT[") : -1], [f"HIT@{k}" for k in ks]) for metric in metrics]
    columns = [(ALL, metric, k) for metric in metrics for k in ks]
    return Table(f"Category of the next item, slice {ALL}, in %", groups, _lines(measurements, columns))


def to_markdown(table: Table) -> str:
    """Write a Markdown table; the best value of each column is bold."""
    headings = [f"{group}: {column}" for group, columns in table.groups for column in columns]
    text = [f"| model | {' | '.join(headings)} |", f"|---|{'---:|' * len(headings)}"]
    for model, cells in table.lines:
        shown = [f"**{c.text()}**" if c.best else c.text() for c in cells]
        text.append(f"| {model} | {' | '.join(shown)} |")
    return "\n".join(text) + "\n"


def to_html(table: Table) -> str:
    """Write an HTML table; the best value of each column is bold."""
    groups = "".join(f'<th colspan="{len(columns)}">{escape(group)}</th>' for group, columns in table.groups)
    columns = "".join(f"<th>{escape(column)}</th>" for _, columns in table.groups for column in columns)
    lines = []
    for model, cells in table.lines:
        shown = "".join(f"<td{' class=best' if c.best else ''}>{c.text()}</td>" for c in cells)
        lines.append(f"<tr><th>{escape(model)}</th>{shown}</tr>")
    head = f"<thead><tr><th></th>{groups}</tr><tr><th></th>{columns}</tr></thead>"
    return f"<table><caption>{escape(table.title)}</caption>{head}<tbody>{''.join(lines)}</tbody></table>"


def _lines(measurements: Sequence[Measurement], columns: Sequence[Column]) -> list[tuple[str, list[Cell]]]:
    values = {(m.model, m.slice, m.metric, m.k): m for m in measurements}
    models = [
        model
        for model in _distinct(m.model for m in measurements)
        if any((model, *column) in values for column in columns)
    ]
    lines: list[tuple[str, list[Cell]]] = [(model, []) for model in models]
    for column in columns:
        found = [values.get((model, *column)) for model in models]
        best = max((m.value for m in found if m is not None and m.value is not None), default=None)
        for (_, cells), measurement in zip(lines, found, strict=True):
            cells.append(_cell(measurement, best))
    return lines


def _cell(measurement: Measurement | None, best: float | None) -> Cell:
    if measurement is None or measurement.value is None:
        return Cell()
    value, low, high = measurement.value, measurement.low, measurement.high
    margin = None if low is None or high is None else 100 * max(value - low, high - value)
    return Cell(100 * value, margin, value == best)


def _slice_heading(measurements: Sequence[Measurement], name: str) -> str:
    n = next((m.n for m in measurements if m.slice == name and m.metric == METRICS[0].name), 0)
    return f"{name} ({n:,})"


def _distinct(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(values))
