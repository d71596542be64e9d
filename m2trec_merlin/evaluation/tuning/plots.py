"""The plot of the trade-off between mixtures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from m2trec_merlin.evaluation.plots import finish_figure, start_figure
from m2trec_merlin.evaluation.tuning.mixtures import Point


def plot_frontier(frontier: Sequence[Point], others: Mapping[str, Point]) -> str:
    """Draw HIT@20 on rare and on new targets against HIT@20 over all.

    Args:
        frontier: Pareto-optimal mixtures, joined by lines.
        others: two single points, by name.
    """
    figure, axes = start_figure("HIT@20 of mixtures on validation")
    for name, colour in (("rare", "C0"), ("new", "C1")):
        places = [(100 * p.hit, 100 * value) for p in frontier if (value := getattr(p, name)) is not None]
        if places:
            axes.plot(*zip(*places, strict=True), color=colour, label=f"{name} targets")
        for marker, (title, point) in zip("ox", others.items(), strict=True):
            if (value := getattr(point, name)) is not None:
                axes.plot(100 * point.hit, 100 * value, marker, color=colour, label=f"{name}, {title}")
    axes.set_xlabel("HIT@20 over all, %")
    return finish_figure(figure, axes, "HIT@20, %")
