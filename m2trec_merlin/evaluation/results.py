"""The files of an evaluation: metrics.json, breakdowns.json, metrics.md, report.html and plots/."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from m2trec_merlin.artifacts import read_json
from m2trec_merlin.evaluation.measurements import METRICS_FILE, Measurement, summarise
from m2trec_merlin.evaluation.outcomes import Outcome
from m2trec_merlin.evaluation.plots import plot_bars, plot_learning_curves, plot_lines
from m2trec_merlin.evaluation.protocol import Entry, Setup
from m2trec_merlin.evaluation.report import render_html, render_markdown
from m2trec_merlin.evaluation.slices import SLICES, Slice, length_slices, occurrence_slices
from m2trec_merlin.runs.folder import REPORT_PAGE

#: Ordered slices for plots and tables of HIT, by the quantity that orders them.
BREAKDOWNS: dict[str, tuple[Slice, ...]] = {
    "training occurrences of the next item": occurrence_slices(),
    "events in the prefix": length_slices(),
}


def write_results(
    setup: Setup, outcomes: Sequence[Outcome], folder: Path, history: Path, protocol: Sequence[Entry]
) -> list[Measurement]:
    """Measure outcomes and write all files into an existing folder.

    Args:
        setup: what the scorers were compared on.
        outcomes: outcomes of the scorers, all on the same prefixes.
        folder: the folder to write to.
        history: path of the training's history.json, for the learning curve; it may be missing.
        protocol: how it was measured, for the report.

    Returns:
        The rows of metrics.json.
    """
    config, split = setup.config, setup.split

    def measure_all(chosen: Sequence[Outcome], slices: Sequence[Slice]) -> list[Measurement]:
        measure = partial(summarise, data=config.name, split=split, seed=config.seed, slices=slices)
        return [each for outcome in chosen for each in measure(outcome, setup.catalogue, config.evaluation)]

    measurements = measure_all(outcomes, SLICES)
    ranked = [outcome for outcome in outcomes if outcome.items is not None]
    breakdowns = {name: measure_all(ranked, slices) for name, slices in BREAKDOWNS.items()}
    curves = {config.name: read_json(history, "train")} if history.is_file() else {}
    plots = draw_plots(measurements, breakdowns, curves, max(config.evaluation.ks))
    title = f"Evaluation of {config.name}, {split} sessions"
    files = {
        METRICS_FILE: _to_json([m.as_dict() for m in measurements]),
        "breakdowns.json": _to_json({name: [m.as_dict() for m in b] for name, b in breakdowns.items()}),
        "metrics.md": render_markdown(title, measurements, breakdowns, protocol),
        REPORT_PAGE: render_html(title, measurements, breakdowns, protocol, plots),
        **{f"plots/{name.replace(' ', '_')}.svg": svg for name, svg in plots.items()},
    }
    (folder / "plots").mkdir()
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return measurements


def draw_plots(
    measurements: Sequence[Measurement],
    breakdowns: Mapping[str, Sequence[Measurement]],
    histories: Mapping[str, Sequence[Mapping[str, Any]]],
    k: int,
) -> dict[str, str]:
    """Return the plots as SVG, by name; those without data are left out.

    Args:
        measurements: measurements on the slices of the tables.
        breakdowns: measurements on ordered slices.
        histories: records of history.json by model.
        k: cut-off of HIT.
    """
    plots = {}
    hits = [m for m in measurements if m.metric == "HIT"]
    if hits:
        plots[f"HIT@{k} by slice"] = plot_bars(hits, "HIT", k)
    for axis, rows in breakdowns.items():
        if rows:
            plots[f"HIT@{k} by {axis}"] = plot_lines(rows, "HIT", k, axis)
    if histories:
        plots["learning curve"] = plot_learning_curves(histories)
    return plots


def _to_json(content: Any) -> str:
    return json.dumps(content, indent=1) + "\n"
