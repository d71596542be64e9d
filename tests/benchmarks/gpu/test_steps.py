"""Each step runs through in a rehearsal on the CPU, and says what it measured."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from benchmarks.gpu.session import STEPS
from benchmarks.gpu.step import Step
from benchmarks.gpu.steps import contracts

#: Figures that must be numbers.
MEASURED = {
    "smoke": {"merlin", "product"},
    "preprocessing": {"items", "sessions", "stock NVTabular"},
    "training": {
        "step",
        "targets",
        "MFU",
        "losses of the CPU",
        "full softmax",
        "time to quality",
    },
    "evaluation": {"all prefixes", "on the CPU", "equal ranks"},
    "encoding": {"items"},
    "top_k": {"top-20"},
    "rival": {"targets", "Transformers4Rec, sampled softmax"},
}


def figures(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.slow
@pytest.mark.parametrize("name", MEASURED)
def test_a_rehearsal(name: str, tmp_path: Path) -> None:
    module = import_module(f"benchmarks.gpu.steps.{name}")
    module.main(Step.of(["--figures", str(tmp_path / "figures"), "--dry-run"]))
    found = figures(tmp_path / "figures")
    assert MEASURED[name] <= {f["measure"] for f in found if isinstance(f["value"], int | float)}
    # Without a GPU only the first step has something to complain of.
    assert name == "smoke" or not [f for f in found if "failed" in str(f["value"])]


def test_the_outcome_of_every_contract_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tests").mkdir()
    lines = ["import pytest", "gpu = pytest.mark.gpu", "@gpu", "def test_good(): pass"]
    lines += ["@gpu", "def test_bad(): assert False", "def test_of_the_cpu(): assert False"]
    (tmp_path / "tests" / "test_some.py").write_text("\n".join(lines))
    (tmp_path / "tests" / "test_others.py").write_text("raise RuntimeError('not even read')")
    monkeypatch.setattr(contracts, "ROOT", tmp_path)
    with pytest.raises(SystemExit):
        contracts.main(Step((tmp_path / "figures"), [], "cuda", False))
    found = {(f["measure"], f["value"].rpartition("::")[2]) for f in figures(tmp_path / "figures")}
    assert found == {("passed", "test_good"), ("failed", "test_bad")}


def test_there_is_a_rehearsal_of_every_step() -> None:
    assert {*MEASURED, "contracts"} == {part.name for part in STEPS}
