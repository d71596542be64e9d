from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from benchmarks import scale
from benchmarks.records import write_records
from benchmarks.scale import Cell, measure, per_million, plot, read_cells, sort_cells, table

_VALUES = {"wall": 10.0, "CPU": 9.0, "peak memory": 500.0, "sessions/s": 100.0}


def _cell(stage: str, sessions: int, **values: float) -> Cell:
    return Cell(stage, sessions, {**_VALUES, **values}, "abc")


def _arguments(folder: Path, **changes: object) -> argparse.Namespace:
    settings = {
        "results": folder / "scale.json", "work_dir": folder / "runs", "stages": scale.STAGES,
        "steps": 3, "keep": False, "force": False,
    }  # fmt: skip
    return argparse.Namespace(**{**settings, **changes})


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Stages that were run; none really is."""
    calls: list[tuple[str, int]] = []

    def run_cell(stage: str, sessions: int, work_dir: Path, steps: int) -> Cell:
        calls.append((stage, sessions))
        name = {"data": "data", "preprocess": "preprocessed", "train": "model"}[stage]
        (work_dir / name).mkdir(parents=True, exist_ok=True)
        (work_dir / name / "manifest.json").write_text("{}")
        return _cell(stage, sessions)

    monkeypatch.setattr(scale, "run_cell", run_cell)
    return calls


def test_what_a_step_costs_anyway_drops_out() -> None:
    cells = [_cell("data", n, wall=7 + 5 * n / 1e6) for n in (1_000_000, 100_000, 10_000_000)]
    slopes = per_million(cells, "wall")
    assert [(start, stop) for start, stop, _ in slopes] == [(100_000, 1_000_000), (1_000_000, 10_000_000)]
    assert [cost for *_, cost in slopes] == pytest.approx([5, 5])


def test_cells_come_back_from_the_records(tmp_path: Path) -> None:
    cells = [_cell("train", 1_000, step=0.5), _cell("data", 1_000_000), _cell("data", 1_000)]
    write_records(tmp_path / "r.json", [record for cell in cells for record in cell.records()])
    found = sort_cells(read_cells(tmp_path / "r.json"))
    assert found == [cells[2], cells[1], cells[0]]
    assert read_cells(tmp_path / "none.json") == []


def test_a_finished_measurement_is_not_made_again(tmp_path: Path, ran: list[tuple[str, int]]) -> None:
    cells = measure(_arguments(tmp_path, stages=("data",), keep=True), 100, [])
    cells = measure(_arguments(tmp_path), 100, read_cells(tmp_path / "scale.json"))
    assert ran == [("data", 100), ("preprocess", 100), ("train", 100)]
    assert not (tmp_path / "runs" / "100").exists(), "generated data are left"
    measure(_arguments(tmp_path), 100, cells)
    assert len(ran) == 3
    measure(_arguments(tmp_path, force=True, stages=("data",)), 100, cells)
    assert ran[3:] == [("data", 100)]


def test_what_was_removed_is_made_again_for_a_later_stage(tmp_path: Path, ran: list[tuple[str, int]]) -> None:
    done = [_cell("data", 100), _cell("preprocess", 100)]
    cells = measure(_arguments(tmp_path), 100, done)
    assert [stage for stage, _ in ran] == ["data", "preprocess", "train"]
    assert [cell.stage for cell in cells] == ["data", "preprocess", "train"]


def test_table_and_plot_hold_every_measurement(tmp_path: Path) -> None:
    cells = [_cell(stage, n) for stage in scale.STAGES for n in (1_000, 2_000)]
    lines = table(cells).splitlines()
    assert sum(line.startswith(("| data | 1,000 | 10", "| train | 2,000 | 10")) for line in lines) == 2
    assert "| preprocess | 1,000 | 2,000 | 0.00 | 0.00 | 0.0 |" in lines
    plot(cells, tmp_path / "scale.svg")
    assert (tmp_path / "scale.svg").read_text().count("<svg") == 1
