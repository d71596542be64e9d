from xml.etree import ElementTree

import pytest

from m2trec_merlin.evaluation.plots import (
    plot_bars,
    plot_cut_offs,
    plot_learning_curves,
    plot_lines,
)
from tests.evaluation.test_tables import ROWS, row

SVG = "{http://www.w3.org/2000/svg}"


def shapes(svg: str, prefix: str) -> list[str]:
    ids = [element.get("id", "") for element in ElementTree.fromstring(svg).iter(f"{SVG}g")]
    return [name for name in ids if name.startswith(prefix)]


def test_bars_need_no_interval_and_no_value() -> None:
    svg = plot_bars([r for r in ROWS if r.metric == "HIT" and r.k == 20], "HIT", 20)
    # Two models on two slices, the background and the frame of four lines.
    assert len(shapes(svg, "patch_")) >= 2 * 2 + 2


@pytest.mark.parametrize("n_models", [1, 3])
def test_one_line_for_each_model(n_models: int) -> None:
    rows = [
        row(f"model {number}", part, "HIT", 20, value)
        for number in range(n_models)
        for part, value in (("0", None), ("1-2", 0.1), ("3+", 0.2))
    ]
    svg = plot_lines(rows, "HIT", 20, "training occurrences")
    assert len(shapes(svg, "FillBetweenPolyCollection")) == n_models


@pytest.mark.parametrize("n_models", [1, 3])
def test_one_line_over_the_cut_offs_for_each_model_that_was_measured(n_models: int) -> None:
    rows = [row(f"model {n}", "All", "HIT[aisle]", k, k / 100) for n in range(n_models) for k in (5, 10, 20)]
    rows.append(row("items only", "All", "HIT", 20, 0.5))
    svg = plot_cut_offs(rows, "HIT[aisle]")
    # An interval each, in the plot and in the legend.
    assert len(shapes(svg, "LineCollection")) == 2 * n_models
    assert "items only" not in svg


def test_equal_results_give_equal_files() -> None:
    histories = {"ours": [{"epoch": 1, "loss": 5.0, "HIT@20": 0.1}, {"epoch": 2, "loss": 4.0}]}
    assert plot_learning_curves(histories) == plot_learning_curves(histories)
