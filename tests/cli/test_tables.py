from __future__ import annotations

import io

from rich.console import Console

from m2trec_merlin.cli.tables import print_measurements, to_terminal
from m2trec_merlin.evaluation.tables import slice_table
from tests.evaluation.test_tables import ROWS


def test_terminal_shows_names_as_they_are() -> None:
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(to_terminal(slice_table(ROWS, 20)))
    text = console.export_text()
    assert "kNN [x]" in text
    assert "25.00 / 12.50" in text
    assert "HIT@20 / MRR@20" in text


def test_items_and_categories_are_printed() -> None:
    output = io.StringIO()
    print_measurements(ROWS, Console(width=120, file=output))
    text = output.getvalue()
    assert "kNN [x]" in text
    assert "HIT@20 / MRR@20" in text
    assert "colour" in text
    assert "heuristic" in text
