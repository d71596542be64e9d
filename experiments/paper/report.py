"""The committed results of a data set: rows as JSON, tables as Markdown, plots as SVG."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.paper.results import CellResult, to_rows
from benchmarks.records import write_rows
from m2trec_merlin.artifacts import atomic_write
from m2trec_merlin.config import Config
from m2trec_merlin.evaluation.plots import plot_bars, plot_cut_offs, plot_learning_curves, plot_lines

#: Columns of the main table: heading, slice and metric.
COLUMNS = [
    ("All HIT", "All", "HIT"),
    ("All MRR", "All", "MRR"),
    ("All Recall", "All", "Recall"),
    ("All HitRemaining", "All", "HitRemaining"),
    ("Sparse HIT", "Sparse", "HIT"),
    ("Sparse MRR", "Sparse", "MRR"),
    ("Tail HIT", "Tail target", "HIT"),
    ("Cold HIT", "Cold target", "HIT"),
]

K = 20


def publish(results: Sequence[CellResult], config: Config, output: Path, command: str) -> None:
    """Write everything that the finished cells give."""
    rows = to_rows(results)
    name = f"paper-{config.name}"
    write_rows(output / f"{name}.json", rows)
    plots = draw(results)
    for plot, svg in plots.items():
        atomic_write(output / f"{name}-{plot}.svg", svg)
    atomic_write(output / f"{name}.md", markdown(results, rows, config, command, list(plots)))


def markdown(
    results: Sequence[CellResult],
    rows: Sequence[dict[str, Any]],
    config: Config,
    command: str,
    plots: Sequence[str],
) -> str:
    """Return the page with all tables."""
    n = next(m.n for m in results[0].measurements if m.slice == "All")
    parts = [
        f"# The paper's tables on {config.name}",
        f"Made by `{command}` on an "
        f"{platform.machine()} CPU with {os.cpu_count()} cores and torch {torch.__version__}; the budget is "
        "of the training of RecBole's models, from whose best moment on validation the test lists are. "
        f"{n:,} test prefixes, all items that a model knows as candidates, K = {K}, values in %. "
        "Where a model was trained with several seeds: mean ± standard deviation. "
        "Metrics and slices are defined in docs/evaluation.md.",
        "## Next item (Tables 2 and 3)",
        next_item_table(results, rows),
    ]
    categories = category_table(rows)
    if categories:
        parts += ["## Category of the next item (Fig. 2)", categories]
    parts += ["## Plots", *(f"![{plot}](paper-{config.name}-{plot}.svg)" for plot in plots)]
    return "\n\n".join(parts) + "\n"


def next_item_table(results: Sequence[CellResult], rows: Sequence[dict[str, Any]]) -> str:
    """Return a line a model: accuracy, size and cost."""
    titles = list(dict.fromkeys(r.cell.title for r in results if r.cell.kind != "categories"))
    cells = {title: [_text(rows, title, s, metric) for _, s, metric in COLUMNS] for title in titles}
    facts_of = ["parameters", "epochs", "cores", "seconds", "commit"]
    heads = ["model", *(head for head, _, _ in COLUMNS), *facts_of]
    lines = [f"| {' | '.join(heads)} |", f"|---{'|---:' * (len(heads) - 1)}|"]
    for title in titles:
        own = [result for result in results if result.cell.title == title]
        mean_seconds = sum(result.seconds for result in own) / len(own)
        facts = [
            "-" if own[0].parameters is None else f"{own[0].parameters:,}",
            "-" if own[0].epochs is None else f"{own[0].epochs:g}",
            "-" if own[0].parameters is None else ", ".join(dict.fromkeys(str(r.cores) for r in own)),
            f"{mean_seconds:,.0f}",
            ", ".join(dict.fromkeys(result.commit for result in own)),
        ]
        lines.append(f"| {' | '.join([title, *cells[title], *facts])} |")
    return "\n".join(lines)


def category_table(rows: Sequence[dict[str, Any]]) -> str | None:
    """Return a line a model with category HIT at each cut-off; None where no category is predicted."""
    measured = [row for row in rows if row["metric"].startswith("HIT[") and row["slice"] == "All"]
    columns = list(dict.fromkeys((row["metric"], row["k"]) for row in measured))
    if not columns:
        return None
    heads = ["model", *(f"{metric[4:-1]} HIT@{k}" for metric, k in columns)]
    lines = [f"| {' | '.join(heads)} |", f"|---{'|---:' * len(columns)}|"]
    for title in dict.fromkeys(row["model"] for row in measured):
        cells = [_text(rows, title, "All", metric, k) for metric, k in columns]
        lines.append(f"| {' | '.join([title, *cells])} |")
    return "\n".join(lines)


def draw(results: Sequence[CellResult]) -> dict[str, str]:
    """Return the plots as SVG by name; of models with several seeds they show the first."""
    first = list({result.cell.title: result for result in reversed(results)}.values())[::-1]
    ranked = [result for result in first if result.cell.kind != "categories"]
    tables = [m for result in ranked for m in result.measurements if m.slice in ("All", "Sparse")]
    occurrences = [m for result in ranked for m in result.occurrences]
    plots = {
        "tables": plot_bars(tables, "HIT", K),
        "occurrences": plot_lines(occurrences, "HIT", K, "training occurrences of the next item"),
    }
    categories = [m for result in first for m in result.measurements if m.slice == "All"]
    for metric in dict.fromkeys(m.metric for m in categories if m.metric.startswith("HIT[")):
        plots[f"category-{metric[4:-1]}"] = plot_cut_offs(categories, metric)
    curves = {r.cell.title: r.history for r in first if r.cell.model in ("m2trec", "metrec")}
    if curves:
        plots["learning-curves"] = plot_learning_curves(curves)
    return plots


def _text(rows: Sequence[dict[str, Any]], model: str, slice_name: str, metric: str, k: int = K) -> str:
    found = [
        row
        for row in rows
        if (row["model"], row["slice"], row["metric"], row["k"]) == (model, slice_name, metric, k)
        and row["value"] is not None
    ]
    if not found:
        return "-"
    mean = next((row for row in found if row["seed"] is None), None)
    if mean is None:
        return f"{100 * found[0]['value']:.2f}"
    return f"{100 * mean['value']:.2f} ± {100 * mean['spread']:.2f}"
