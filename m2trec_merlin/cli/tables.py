"""Tables of measurements on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table as RichTable

from m2trec_merlin.cli.terminal import escape
from m2trec_merlin.evaluation.measurements import Measurement
from m2trec_merlin.evaluation.tables import Table, category_table, slice_table
from m2trec_merlin.evaluation.tuning.run import Choice, describe


def print_measurements(measurements: Sequence[Measurement], console: Console) -> None:
    """Print the main tables of an evaluation."""
    console.print(to_terminal(slice_table(measurements, max(m.k for m in measurements), ("HIT", "MRR"))))
    categories = category_table(measurements)
    if categories is not None:
        console.print(to_terminal(categories))


#: The most mixtures shown besides the chosen one and the model.
_FRONTIER_SHOWN = 5


def print_choice(choice: Choice, console: Console) -> None:
    """Print the model alone, the chosen mixture, and others that none beats both overall and on the tail.

    If no mixtures were tried, nothing is printed.
    """
    if not choice.frontier:
        return
    shown = RichTable(title="Validation, HIT@20 in %", title_justify="left", box=SIMPLE_HEAD)
    for heading in ("all", "MRR@20", "rare", "new"):
        shown.add_column(heading, justify="right")
    shown.add_column("of what counts how much")
    others = [point for point in choice.frontier if point != choice.chosen][:_FRONTIER_SHOWN]
    for point in (choice.model, choice.chosen, *others):
        measured = (point.hit, point.mrr, point.rare, point.new)
        values = ("-" if value is None else f"{100 * value:.2f}" for value in measured)
        style = "bold" if point == choice.chosen else None
        shown.add_row(*values, describe(point.weights), style=style)
    console.print(shown)
    if (listed := choice.listed) is not None and listed.new is not None:
        console.print(
            f"Training items that are listed anew: {100 * listed.new:.2f} % hit at listed "
            f"{listed.weights['listed']:g}, {listed.tail:.1f} times as many as by the best view alone"
        )


def to_terminal(table: Table) -> RichTable:
    """Return a table for a terminal: one column per group, without intervals; the best values are bold."""
    within = " / ".join(table.groups[0][1]) if table.groups else ""
    title = escape(f"{table.title}: {within}")
    shown = RichTable(
        title=title, title_justify="left", box=SIMPLE_HEAD, collapse_padding=True, pad_edge=False
    )
    shown.add_column("model", no_wrap=True)
    for group, _ in table.groups:
        # In a narrower terminal, a figure is folded into the next line rather than cut.
        shown.add_column(escape(group), justify="right", overflow="fold")
    ends = np.cumsum([len(columns) for _, columns in table.groups])
    for model, cells in table.lines:
        texts = [f"[bold]{cell.text(False)}[/bold]" if cell.best else cell.text(False) for cell in cells]
        groups = np.split(np.array(texts), ends[:-1])
        # Without blanks, five slices fit into a terminal of 80 columns.
        shown.add_row(escape(model), *("/".join(group) for group in groups))
    return shown
