from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from m2trec_merlin.runs import Run
from tests.cli.test_app import error_of, run
from tests.evaluation.test_listing import configure, make, runs
from tests.runs.folders import do

__all__ = ["runs"]

Capture = pytest.CaptureFixture[str]


def test_runs_are_listed_with_what_is_wrong(
    runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    (runs / "half" / "model").mkdir(parents=True)
    (runs / "current").symlink_to("a")
    assert run(monkeypatch, "runs", runs) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "(current)" in out and "37.50 25.00 ±2.00" in out
    assert "half: model/ is half made or being made: run `m2trec train`" in out
    assert run(monkeypatch, "runs", runs, "--json") == 0
    captured = capsys.readouterr()
    a, half = json.loads(captured.out)
    assert not captured.err and "no such file" not in out
    assert a["current"] is True and a["done"][-1] == "export" and half["done"] == []
    assert run(monkeypatch, "runs", runs / "half" / "model") == 0
    assert "no runs in" in capsys.readouterr().out
    (runs / "current").unlink()
    (runs / "current").symlink_to("gone")
    told = f"{runs}/current: no such file or folder: it is a link to gone, which is not there"
    assert run(monkeypatch, "runs", runs) == 0
    assert told in capsys.readouterr().out.splitlines()
    assert run(monkeypatch, "runs", runs, "--json") == 0
    captured = capsys.readouterr()
    assert len(json.loads(captured.out)) == 2 and captured.err.splitlines() == [told]
    assert run(monkeypatch, "runs", runs / "none") == 1
    assert "is no folder" in error_of(capsys)


def test_runs_side_by_side(runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.chdir(runs)
    make(configure(runs / "b", "training.epochs", 9))
    assert run(monkeypatch, "compare", "a", "b") == 0
    out = capsys.readouterr().out
    rows = [line.split() for line in out.splitlines()]
    assert ["training.epochs", "4", "9"] in rows
    assert ["HIT@20,", "All", "25.00", "±2.00", "25.00", "±2.00"] in rows
    assert "not the same" not in out and "not measured by" not in out
    make(configure(runs / "b", "evaluation.max_prefixes", 9), scored="0b")
    assert run(monkeypatch, "compare", "a", "b") == 0
    assert "not measured on the same prefixes (9 and 9)" in " ".join(capsys.readouterr().out.split())
    make(configure(runs / "b", "evaluation.sparse_below", 9))
    assert run(monkeypatch, "compare", "a", "b") == 0
    assert "not measured by the same evaluation.sparse_below" in capsys.readouterr().out
    make(configure(runs / "b", "evaluation.baselines", []))
    assert run(monkeypatch, "compare", "a", "b") == 0
    shutil.rmtree(runs / "b" / "evaluation")
    assert run(monkeypatch, "compare", "a", "b") == 0
    assert "not measured" not in capsys.readouterr().out
    do(Run(configure(runs / "b")), "data", "other rows")
    assert run(monkeypatch, "compare", "a", "b") == 0
    out = capsys.readouterr().out
    assert "not the same data" in out and "b: preprocessed/ was made before data changed" in out
    assert run(monkeypatch, "compare", "a", "a") == 0
    out = capsys.readouterr().out
    assert "no settings differ" in out and "Settings that differ" not in out
    for too_few, why in (((), "Missing argument 'runs'"), (("a",), "'runs': name two or more")):
        assert run(monkeypatch, "compare", *too_few) == 2
        assert why in error_of(capsys)
