"""Draw line plots in panels, all in one style."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from matplotlib.figure import Figure

from m2trec_merlin.evaluation.plots import to_svg

Point = tuple[float, float]


@dataclass(frozen=True)
class Panel:
    """One pair of axes.

    Attributes:
        x: label of the x axis.
        y: label of the y axis.
        lines: points of each line, by name.
        title: title above the panel.
        logarithmic: the logarithmic axes: "x", "y", "xy" or "". A linear y axis begins at 0 unless `loose`.
        loose: whether the y axis begins near the lowest point.
        levels: horizontal lines, by name.
        slope: a further, dotted line, by name.
        notes: texts at points.
    """

    x: str
    y: str
    lines: Mapping[str, Sequence[Point]]
    title: str = ""
    logarithmic: str = ""
    loose: bool = False
    levels: Mapping[str, float] = field(default_factory=dict)
    slope: Mapping[str, Sequence[Point]] = field(default_factory=dict)
    notes: Sequence[tuple[str, Point]] = ()


def draw(*panels: Panel) -> str:
    """Return panels side by side as SVG."""
    figure = Figure(figsize=(max(7.5, 5.0 * len(panels)), 4.2), layout="constrained")
    for panel, axes in zip(panels, figure.subplots(1, len(panels), squeeze=False)[0], strict=True):
        for name, points in panel.lines.items():
            axes.plot(*zip(*points, strict=True), marker="o", markersize=4, label=name)
        for name, points in panel.slope.items():
            axes.plot(*zip(*points, strict=True), "k:", linewidth=1, label=name)
        for name, level in panel.levels.items():
            axes.axhline(level, linestyle="--", linewidth=1, color="grey")
            axes.text(0.01, level, name, color="grey", va="bottom", transform=axes.get_yaxis_transform())
        for words, point in panel.notes:
            axes.annotate(words, point, (4, 4), textcoords="offset points")
        axes.set(xlabel=panel.x, ylabel=panel.y)
        axes.set_title(panel.title, loc="left", fontsize=11)
        if "x" in panel.logarithmic:
            axes.set_xscale("log")
        if "y" in panel.logarithmic:
            axes.set_yscale("log")
        elif not panel.loose:
            axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
        axes.legend(frameon=False, fontsize=9)
    return to_svg(figure)
