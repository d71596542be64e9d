from __future__ import annotations

import io

from rich.console import Console

from m2trec_merlin.cli.tables import print_frontier, print_measurements, to_terminal
from m2trec_merlin.evaluation.tables import slice_table
from m2trec_merlin.evaluation.tuning import Point
from m2trec_merlin.neighbours.mixture import Weights
from tests.evaluation.test_tables import ROWS


def test_terminal_shows_names_as_they_are() -> None:
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(to_terminal(slice_table(ROWS, 20)))
    text = console.export_text()
    assert "kNN [x]" in text
    assert "25.00/12.50" in text
    assert "HIT@20 / MRR@20" in text


def test_items_and_categories_are_printed() -> None:
    output = io.StringIO()
    print_measurements(ROWS, Console(width=120, file=output))
    text = output.getvalue()
    assert "kNN [x]" in text
    assert "HIT@20 / MRR@20" in text
    assert "colour" in text
    assert "heuristic" in text


def test_the_chosen_point_of_the_frontier_is_marked() -> None:
    first, second = (
        Point("id", Weights(1, 0, 0), 0.2, 0.01, 0.1),
        Point("metadata", Weights(2, 0.5, 1), 0.199, 0.05, 0.09),
    )
    console = Console(width=100, record=True, file=io.StringIO(), force_terminal=True)
    print_frontier(second, [first, second], console)
    lines = console.export_text(styles=True).splitlines()
    assert [
        line for line in lines if "\x1b[1m" in line and "0.5" in line and "19.90" in line and "5.00" in line
    ]
    assert [line for line in lines if "20.00" in line and "10.00" in line and "\x1b[1m" not in line]
