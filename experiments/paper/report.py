"""The committed results of a data set: rows as JSON, tables as Markdown, plots as SVG."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.frame.prepare import K
from benchmarks.frame.publish import Stamp, publish, table
from experiments.paper.cells import Cell
from experiments.paper.results import CellResult, to_rows
from m2trec_merlin.config import Config
from m2trec_merlin.evaluation.plots import plot_bars, plot_cut_offs, plot_learning_curves, plot_lines
from m2trec_merlin.evaluation.slices import ALL

#: Columns of the main table: heading, slice and metric.
COLUMNS = [
    ("All HIT", ALL, "HIT"),
    ("All MRR", ALL, "MRR"),
    ("All Recall", ALL, "Recall"),
    ("All HitRemaining", ALL, "HitRemaining"),
    ("Sparse HIT", "Sparse", "HIT"),
    ("Sparse MRR", "Sparse", "MRR"),
    ("1-9 HIT", "Rare target", "HIT"),
    ("0 HIT", "Cold target", "HIT"),
]


def publish_results(
    results: Sequence[CellResult], cells: Sequence[Cell], config: Config, output: Path, stamp: Stamp
) -> None:
    """Write rows, tables and plots of the finished cells; published rows of other cells stay.

    Args:
        results: results of the finished cells, at least one.
        cells: all cells of the tables.
        config: configuration of the data.
        output: folder of published results.
        stamp: stamp of this run of the experiment.
    """
    name = f"paper-{config.name}"
    path = output / f"{name}.json"
    published = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    rows, plots = to_rows(results, cells, published), draw(results)
    n = next(m.n for m in results[0].measurements if m.slice == ALL)
    titles = list(dict.fromkeys(cell.title for cell in cells if cell.kind != "categories"))
    measured = {result.cell.title for result in results}
    others = [t for t in titles if t not in measured and any(row["model"] == t for row in rows)]
    parts = [
        f"On an {platform.machine()} CPU with torch {torch.__version__}; the budget is "
        "of the training of RecBole's models, from whose best moment on validation the test lists are. "
        f"{n:,} test prefixes, all items that a model knows as candidates, K = {K}, values in %. "
        "Where a model was trained with several seeds: mean ± standard deviation. "
        "1-9 and 0: the next item has so many training occurrences. Models are trained on training sessions; "
        "baselines, and what is served beside a model, know the validation sessions, too. The commit is of "
        "the code that trained and measured a row; what RecBole learns depends on the sessions and on its "
        "own version alone. Metrics and slices are defined in docs/evaluation.md."
        + (f" Rows of earlier runs, which are not in the plots: {', '.join(others)}." if others else ""),
        "## Next item (Tables 2 and 3)",
        next_item_table(titles, rows),
    ]
    if categories := category_table(rows):
        parts += ["## Category of the next item (Fig. 2)", categories]
    title = f"The paper's tables on {config.name}"
    publish(output, name, rows, stamp, title=title, parts=[*parts, "## Plots"], plots=plots)


def next_item_table(titles: Sequence[str], rows: Sequence[dict[str, Any]]) -> str:
    """Return a table with a line per measured model: accuracy, size and cost."""
    heads = ["model", *(head for head, _, _ in COLUMNS), "parameters", "epochs", "cores", "seconds", "commit"]
    lines = []
    for title in titles:
        own = [row for row in rows if row["model"] == title and row["seed"] is not None]
        if not own:
            continue
        seconds = {row["seed"]: row["seconds"] for row in own}
        facts = [
            _fact(own, "parameters", "{:,}"),
            _fact(own, "epochs", "{:g}"),
            _fact(own, "cores", "{}"),
            f"{sum(seconds.values()) / len(seconds):,.0f}",
            ", ".join(dict.fromkeys(row["commit"] for row in own)),
        ]
        lines.append([title, *(_text(rows, title, s, metric) for _, s, metric in COLUMNS), *facts])
    return table(heads, lines, left=1)


def _fact(rows: Sequence[dict[str, Any]], name: str, form: str) -> str:
    found = dict.fromkeys(form.format(row["value"]) for row in rows if row["metric"] == name)
    return ", ".join(found) or "-"


def category_table(rows: Sequence[dict[str, Any]]) -> str | None:
    """Return a table with a line per model: category HIT at each cut-off; None without predictions."""
    measured = [row for row in rows if row["metric"].startswith("HIT[") and row["slice"] == ALL]
    columns = list(dict.fromkeys((row["metric"], row["k"]) for row in measured))
    if not columns:
        return None
    heads = ["model", *(f"{metric[4:-1]} HIT@{k}" for metric, k in columns)]
    models = dict.fromkeys(row["model"] for row in measured)
    lines = [[title, *(_text(rows, title, ALL, metric, k) for metric, k in columns)] for title in models]
    return table(heads, lines, left=1)


def draw(results: Sequence[CellResult]) -> dict[str, str]:
    """Return the plots as SVG, by the suffixes of their names; they show the first seed of each model."""
    first = list({result.cell.title: result for result in reversed(results)}.values())[::-1]
    ranked = [result for result in first if result.cell.kind != "categories"]
    tables = [m for result in ranked for m in result.measurements if m.slice in (ALL, "Sparse")]
    occurrences = [m for result in ranked for m in result.occurrences]
    plots = {
        "-tables": plot_bars(tables, "HIT", K),
        "-occurrences": plot_lines(occurrences, "HIT", K, "training occurrences of the next item"),
    }
    categories = [m for result in first for m in result.measurements if m.slice == ALL]
    for metric in dict.fromkeys(m.metric for m in categories if m.metric.startswith("HIT[")):
        plots[f"-category-{metric[4:-1]}"] = plot_cut_offs(categories, metric)
    curves = {r.cell.title: r.history for r in first if r.cell.model in ("m2trec", "metrec")}
    if curves:
        plots["-learning-curves"] = plot_learning_curves(curves)
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
