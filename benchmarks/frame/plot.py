"""Learning curves as a picture."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from benchmarks.training.process import Trained
from benchmarks.training.summary import SHARE, best_hit
from m2trec_merlin.artifacts import atomic_write


def plot(curves: Sequence[Trained], data: str, path: Path) -> None:
    """Write HIT@20 against seconds of training as SVG."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "m2trec"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 4.5), layout="constrained")
    for trained in curves:
        seconds = [look.seconds for look in trained.looks]
        axes.plot(seconds, [look.hit for look in trained.looks], marker=".", label=trained.system)
    axes.axhline(
        SHARE * best_hit(curves), color="grey", linestyle=":", label=f"{SHARE:.0%} of the best HIT@20"
    )
    axes.set(xscale="log", xlabel="seconds of training", ylabel="HIT@20 on validation", title=data)
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
    picture = io.BytesIO()
    figure.savefig(picture, format="svg", metadata={"Date": None})
    pyplot.close(figure)
    atomic_write(path, picture.getvalue())
