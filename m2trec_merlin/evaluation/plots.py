"""Plots of measurements as SVG, drawn without a display."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from m2trec_merlin.evaluation.measurements import Measurement
from m2trec_merlin.evaluation.slices import ALL

_SIZE = (8.0, 3.6)


def plot_bars(measurements: Sequence[Measurement], metric: str, k: int) -> str:
    """Draw one bar per model and slice, with its interval."""
    models, slices = _models(measurements), _slices(measurements)
    figure, axes = start_figure(f"{metric}@{k} by slice")
    width = 0.8 / len(models)
    for index, model in enumerate(models):
        value, low, high = _series(measurements, model, metric, k, slices)
        left = np.arange(len(slices)) + (index - (len(models) - 1) / 2) * width
        errors = np.nan_to_num(_error_bars(value, low, high))
        axes.bar(left, np.nan_to_num(value), width, yerr=errors, label=model, capsize=2)
    _name_slices(axes, measurements, slices, metric)
    return finish_figure(figure, axes, f"{metric}@{k}, %")


def plot_lines(measurements: Sequence[Measurement], metric: str, k: int, axis: str) -> str:
    """Draw one line per model over ordered slices, with a band for the interval.

    Args:
        measurements: measurements of a breakdown.
        metric: name of the metric, without the cut-off.
        k: cut-off.
        axis: name of the quantity that orders the slices.
    """
    slices = _slices(measurements)
    figure, axes = start_figure(f"{metric}@{k} by {axis}")
    for model in _models(measurements):
        value, low, high = _series(measurements, model, metric, k, slices)
        (line,) = axes.plot(range(len(slices)), value, marker="o", markersize=4, label=model)
        axes.fill_between(range(len(slices)), low, high, color=line.get_color(), alpha=0.15, linewidth=0)
    _name_slices(axes, measurements, slices, metric)
    axes.set_xlabel(f"{axis} (prefixes)")
    return finish_figure(figure, axes, f"{metric}@{k}, %")


def plot_cut_offs(measurements: Sequence[Measurement], metric: str) -> str:
    """Draw one line per model over the cut-offs of one metric on all prefixes, with intervals."""
    chosen = [m for m in measurements if (m.metric, m.slice) == (metric, ALL) and m.value is not None]
    figure, axes = start_figure(f"{metric} by cut-off")
    for model in _models(chosen):
        own = sorted((m for m in chosen if m.model == model), key=lambda m: m.k)
        ends = [_series(own, model, metric, m.k, [ALL]) for m in own]
        value, low, high = np.concatenate([np.stack(end) for end in ends], axis=1)
        errors = _error_bars(value, low, high)
        axes.errorbar([m.k for m in own], value, errors, marker="o", markersize=4, capsize=2, label=model)
    axes.set_xticks(sorted({m.k for m in chosen}))
    axes.set_xlabel("K")
    return finish_figure(figure, axes, f"{metric}@K, %")


def plot_learning_curves(histories: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """Draw training loss and validation HIT@20 by epoch, one line per model.

    Args:
        histories: records of history.json by model: `epoch`, `loss` and, if it was measured, `HIT@20`.
    """
    figure = Figure(figsize=_SIZE, layout="constrained")
    panels = zip(
        figure.subplots(1, 2), ("loss", "HIT@20"), ("training loss", "validation HIT@20, %"), strict=True
    )
    for axes, field, label in panels:
        scale = 100 if field == "HIT@20" else 1
        for model, records in histories.items():
            points = [(r["epoch"], scale * r[field]) for r in records if r.get(field) is not None]
            axes.plot([x for x, _ in points], [y for _, y in points], marker="o", markersize=4, label=model)
        axes.set_xlabel("epoch")
        axes.set_ylabel(label)
        axes.grid(alpha=0.3)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.legend(frameon=False)
    return to_svg(figure)


def _error_bars(value: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Return the lengths of error bars below and above, [2, ...], never negative.

    An interval from few resamples may not include the value.
    """
    return np.stack([value - low, high - value]).clip(0)


def start_figure(title: str) -> tuple[Figure, Axes]:
    """Return a figure with one panel, and the panel."""
    figure = Figure(figsize=_SIZE, layout="constrained")
    axes = figure.subplots()
    axes.set_title(title, loc="left", fontsize=11)
    return figure, axes


def finish_figure(figure: Figure, axes: Axes, label: str) -> str:
    """Label the axis, add a legend, and return the figure as SVG."""
    axes.set_ylabel(label)
    axes.set_ylim(bottom=0)
    axes.grid(axis="y", alpha=0.3)
    if axes.get_legend_handles_labels()[1]:
        figure.legend(frameon=False, fontsize=9, loc="outside right upper")
    return to_svg(figure)


def to_svg(figure: Figure) -> str:
    """Return a figure as SVG; equal figures give equal text."""
    file = io.StringIO()
    # A fixed salt and no date: equal results give equal files.
    with matplotlib.rc_context({"svg.hashsalt": "m2trec"}):
        figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()


def _series(
    measurements: Sequence[Measurement], model: str, metric: str, k: int, slices: Sequence[str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return value, low and high in percent for each slice; NaN where not measured."""
    found = {m.slice: m for m in measurements if (m.model, m.metric, m.k) == (model, metric, k)}
    columns = np.full((3, len(slices)), np.nan)
    for index, name in enumerate(slices):
        m = found.get(name)
        if m is not None and m.value is not None:
            low, high = (m.value if end is None else end for end in (m.low, m.high))
            columns[:, index] = 100 * m.value, 100 * low, 100 * high
    return columns[0], columns[1], columns[2]


def _name_slices(axes: Axes, measurements: Sequence[Measurement], slices: Sequence[str], metric: str) -> None:
    counts = {m.slice: m.n for m in measurements if m.metric == metric}
    axes.set_xticks(range(len(slices)), [f"{name}\n({counts.get(name, 0):,})" for name in slices], fontsize=9)


def _models(measurements: Sequence[Measurement]) -> list[str]:
    return list(dict.fromkeys(m.model for m in measurements))


def _slices(measurements: Sequence[Measurement]) -> list[str]:
    return list(dict.fromkeys(m.slice for m in measurements))
