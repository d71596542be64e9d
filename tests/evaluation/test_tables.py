from __future__ import annotations

from m2trec_merlin.evaluation.measurements import Measurement
from m2trec_merlin.evaluation.tables import (
    Cell,
    breakdown_table,
    category_table,
    cut_off_table,
    slice_table,
    to_html,
    to_markdown,
)


def row(
    model: str, part: str, metric: str, k: int, value: float | None, margin: float | None = 0.01
) -> Measurement:
    low, high = (None, None) if value is None or margin is None else (value - margin, value + 2 * margin)
    n = 0 if value is None else 1200
    return Measurement(model, "shop", "test", part, metric, k, value, low, high, n, 1, 2.0, "all")


ROWS = [
    row("ours <b>", "All", "HIT", 20, 0.25),
    row("ours <b>", "All", "MRR", 20, 0.125, None),
    row("ours <b>", "Cold target", "HIT", 20, None),
    row("ours <b>", "All", "HIT", 5, 0.1),
    row("ours <b>", "All", "HIT[colour]", 20, 0.75),
    row("kNN [x]", "All", "HIT", 20, 0.2),
    row("kNN [x]", "All", "MRR", 20, 0.125),
    row("kNN [x]", "Cold target", "HIT", 20, None),
    row("heuristic", "All", "HIT[colour]", 20, 0.5),
]


def test_cells_are_percentages_with_the_wider_margin() -> None:
    assert Cell(25.0, 2.0).text() == "25.00 ±2.00"
    assert Cell(25.0, 2.0).text(with_margin=False) == "25.00"
    assert Cell(25.0).text() == "25.00"
    assert Cell().text() == "-"


def test_slices_are_groups_of_columns() -> None:
    table = slice_table(ROWS, 20)
    assert table.groups == [
        ("All (1,200)", ["HIT@20", "MRR@20"]),
        ("Cold target (0)", ["HIT@20", "MRR@20"]),
    ]
    assert [model for model, _ in table.lines] == ["ours <b>", "kNN [x]"]
    ours = table.lines[0][1]
    assert [cell.text() for cell in ours] == ["25.00 ±2.00", "12.50", "-", "-"]


def test_the_best_of_a_column_is_marked_ties_included() -> None:
    marks = [[cell.best for cell in cells] for _, cells in slice_table(ROWS, 20).lines]
    assert marks == [[True, True, False, False], [False, True, False, False]]


def test_a_breakdown_shows_the_slices_that_have_prefixes() -> None:
    table = breakdown_table(ROWS, 20, "kind of target")
    assert table.title == "HIT@20 by kind of target, in %"
    assert table.groups == [("kind of target", ["All (1,200)"])]
    told = {model: [(cell.text(), cell.best) for cell in cells] for model, cells in table.lines}
    assert told == {"ours <b>": [("25.00 ±2.00", True)], "kNN [x]": [("20.00 ±2.00", False)]}


def test_markdown_has_one_line_a_model() -> None:
    lines = to_markdown(slice_table(ROWS, 20, ("HIT",))).splitlines()
    assert lines == [
        "| model | All (1,200): HIT@20 | Cold target (0): HIT@20 |",
        "|---|---:|---:|",
        "| ours <b> | **25.00 ±2.00** | - |",
        "| kNN [x] | 20.00 ±2.00 | - |",
    ]


def test_html_spans_the_groups_and_escapes_names() -> None:
    html = to_html(slice_table(ROWS, 20))
    assert '<th colspan="2">All (1,200)</th>' in html
    assert "ours &lt;b&gt;" in html
    assert "<td class=best>25.00 ±2.00</td>" in html


def test_cut_offs_and_categories_have_tables_of_their_own() -> None:
    cut_offs = cut_off_table(ROWS)
    assert cut_offs.groups[0] == ("HIT", ["@5", "@20"])
    assert [cell.text(False) for cell in cut_offs.lines[0][1][:2]] == ["10.00", "25.00"]
    categories = category_table(ROWS)
    assert categories is not None
    assert categories.groups == [("colour", ["HIT@5", "HIT@20"])]
    assert [model for model, _ in categories.lines] == ["ours <b>", "heuristic"]
    assert category_table(ROWS[:4]) is None
