from __future__ import annotations

import io

import pytest
from rich.console import Console

from m2trec_merlin.cli.tables import print_choice, print_measurements, to_terminal
from m2trec_merlin.evaluation.tables import slice_table
from m2trec_merlin.evaluation.tuning.mixtures import Point
from m2trec_merlin.evaluation.tuning.run import Choice
from m2trec_merlin.neighbours.weights import Weights
from tests.evaluation.test_tables import ROWS, row


def test_terminal_shows_names_as_they_are() -> None:
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(to_terminal(slice_table(ROWS, 20)))
    text = console.export_text()
    assert "kNN [x]" in text
    assert "25.00/12.50" in text
    assert "HIT@20 / MRR@20" in text


@pytest.mark.parametrize(("value", "shown"), [(0.125, "12.50/12.50"), (1.0, "100.0/100.0")])
@pytest.mark.parametrize("width", [80, 50])
def test_no_figure_is_cut(width: int, value: float, shown: str) -> None:
    parts = ("All", "Sparse", "Tail target", "Rare target", "Cold target")
    rows = [row("M2TRec mixed", part, metric, 20, value) for part in parts for metric in ("HIT", "MRR")]
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(to_terminal(slice_table(rows, 20)))
    text = console.export_text()
    assert "…" not in text
    assert text.count(shown) == 5 or width < 80


def test_items_and_categories_are_printed() -> None:
    output = io.StringIO()
    print_measurements(ROWS, Console(width=120, file=output))
    text = output.getvalue()
    assert "kNN [x]" in text
    assert "HIT@20 / MRR@20" in text
    assert "colour" in text
    assert "heuristic" in text


def test_the_chosen_mixture_is_marked() -> None:
    chosen = Point(Weights(by_id=2, by_metadata=0.5, beside=1), 0.199, 0.09, 0.05, None)
    model, best = Point(Weights(), 0.1, 0.05, 0.01, None), Point(Weights(by_id=1), 0.2, 0.1, 0.01, 0.03)
    console = Console(width=100, record=True, file=io.StringIO(), force_terminal=True)
    print_choice(Choice(chosen.weights, chosen, model, [], None, {}), console)
    assert not console.file.getvalue(), "nothing was measured"
    print_choice(Choice(chosen.weights, chosen, model, [best, chosen], None, {}), console)
    lines = console.export_text(styles=True).splitlines()
    assert [line for line in lines if "\x1b[1m" in line and "19.90" in line and "5.00" in line] == [
        line for line in lines if "19.90" in line
    ]
    assert [line for line in lines if "20.00" in line and "3.00" in line and "\x1b[1m" not in line]
    assert [line for line in lines if "10.00" in line and "1.00" in line and "-" in line]


def test_what_newly_listed_items_are_worth_is_told() -> None:
    chosen, model = Point(Weights(by_id=2), 0.2, 0.09, None, None), Point(Weights(), 0.1, 0.05, None, None)
    listed = Point(Weights(by_id=2, listed=-1.5), 0.19, 0.08, None, 0.0267, 1.444)
    console = Console(width=140, file=io.StringIO())
    print_choice(Choice(listed.weights, chosen, model, [chosen], listed, {}), console)
    told = "2.67 % hit at listed -1.5, 1.4 times as many as by the best view alone"
    assert told in console.file.getvalue()
