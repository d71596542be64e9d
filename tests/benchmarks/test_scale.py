from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from benchmarks import scale
from benchmarks.frame.publish import Stamp
from benchmarks.scale import (
    Cell,
    kept,
    measure,
    per_million,
    plot,
    publish_cells,
    sort_cells,
    store_of,
    tables,
)

STAMP = Stamp("abc", "python -m benchmarks scale", 2, 0.0)
_VALUES = {"wall": 10.0, "CPU": 9.0, "peak memory": 500.0, "sessions/s": 100.0}


def _cell(stage: str, sessions: int, **values: float) -> Cell:
    return Cell(stage, sessions, 575_000, {**_VALUES, **values}, "abc")


def _arguments(folder: Path, **changes: object) -> argparse.Namespace:
    settings = {
        "output": folder, "work_dir": folder / "runs", "stages": scale.STAGES, "stamp": STAMP,
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


def test_cells_come_back_as_they_were(tmp_path: Path) -> None:
    cells = [_cell("train", 1_000, step=0.5), _cell("data", 1_000_000), _cell("data", 1_000)]
    assert kept(tmp_path) == []
    for cell in cells:
        store_of(tmp_path).write(f"{cell.stage}-{cell.sessions}", None, cell)
    assert kept(tmp_path) == [cells[2], cells[1], cells[0]]
    assert sort_cells([cells[2], _cell("data", 1_000, wall=1.0)]) == [_cell("data", 1_000, wall=1.0)]


def test_records_name_data_as_the_committed_ones_do() -> None:
    committed = json.loads((scale.CONFIG.parents[1] / "benchmarks" / "results" / "scale.json").read_text())
    made = [record for stage in scale.STAGES for record in _cell(stage, 100_000).records()]
    names = {(record["system"], record["data"], record["measure"], record["unit"]) for record in committed}
    assert {(r.system, r.data, r.measure, r.unit) for r in made if r.measure != "sessions/s"} <= names


def test_a_finished_measurement_is_not_made_again(tmp_path: Path, ran: list[tuple[str, int]]) -> None:
    measure(_arguments(tmp_path, stages=("data",), keep=True), 100)
    measure(_arguments(tmp_path), 100)
    assert ran == [("data", 100), ("preprocess", 100), ("train", 100)]
    assert not (tmp_path / "runs" / "100").exists(), "generated data are left"
    measure(_arguments(tmp_path), 100)
    assert len(ran) == 3
    measure(_arguments(tmp_path, force=True, stages=("data",)), 100)
    assert ran[3:] == [("data", 100)]
    measure(_arguments(tmp_path, steps=4), 100)
    assert ran[4:] == [("data", 100), ("preprocess", 100), ("train", 100)], "other steps, other training"


def test_what_was_removed_is_made_again_for_a_later_stage(tmp_path: Path, ran: list[tuple[str, int]]) -> None:
    measure(_arguments(tmp_path, stages=("data", "preprocess")), 100)
    del ran[:]
    measure(_arguments(tmp_path), 100)
    assert [stage for stage, _ in ran] == ["data", "preprocess", "train"]
    assert [cell.stage for cell in kept(tmp_path / "runs")] == ["data", "preprocess", "train"]


def test_tables_and_plot_hold_every_measurement(tmp_path: Path) -> None:
    cells = [_cell(stage, n) for stage in scale.STAGES for n in (1_000, 2_000)]
    lines = "\n".join(tables(cells)).splitlines()
    assert sum(line.startswith(("| data | 1,000 | 10", "| train | 2,000 | 10")) for line in lines) == 2
    assert "| preprocess | 1,000 | 2,000 | 0.00 | 0.00 | 0.0 |" in lines
    assert plot(cells).count("<svg") == 1
    publish_cells(tmp_path, cells, STAMP)
    assert {path.name for path in tmp_path.iterdir()} == {"scale.json", "scale.md", "scale.svg"}
