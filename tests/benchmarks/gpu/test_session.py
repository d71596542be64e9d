"""A session keeps what each step got to, whatever becomes of the others."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.gpu import session
from benchmarks.gpu.parts import pack
from benchmarks.gpu.session import STEPS, Part

ROOT = Path(__file__).parents[3]


def options(output: Path, *words: str) -> Namespace:
    parser = ArgumentParser()
    parser.add_argument("--output", type=Path, default=output)
    session.options(parser)
    return parser.parse_args([*words])


def result(output: Path, name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((output / f"{name}.json").read_text())
    return content


def test_every_step_is_a_module_and_they_fit_into_half_an_hour() -> None:
    for part in STEPS:
        assert (ROOT / "benchmarks" / "gpu" / "steps" / f"{part.name}.py").is_file()
    assert sum(part.seconds for part in STEPS) <= 25 * 60


def test_the_session_needs_the_standard_library_alone() -> None:
    imported = set()
    for name in ("session.py", "parts.py", "step.py", "steps/smoke.py", "steps/contracts.py"):
        lines = (ROOT / "benchmarks" / "gpu" / name).read_text().splitlines()
        imported |= {line.split()[1].split(".")[0] for line in lines if line.startswith(("import ", "from "))}
    assert imported - sys.stdlib_module_names == {"benchmarks"}


@pytest.fixture
def steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three steps of our own: one that finishes, one that fails, one that never ends."""
    codes = {
        "good": "step.add('a', 1, 's')",
        "bad": "step.add('b', 2); raise SystemExit(3)",
        "slow": "step.add('c', 3); import time; time.sleep(60)",
    }
    for name, code in codes.items():
        text = f"from benchmarks.gpu.step import Step\nstep = Step.of()\n{code}\n"
        (tmp_path / f"{name}.py").write_text(text)
    popen = session.subprocess.Popen

    def start(command: list[str], **settings: Any) -> Any:
        script = tmp_path / f"{command[2].rpartition('.')[2]}.py"
        return popen([command[0], str(script), *command[3:]], **settings)

    monkeypatch.setattr(session.subprocess, "Popen", start)
    monkeypatch.setattr(session, "STEPS", (Part("good", 20), Part("slow", 2), Part("bad", 20)))
    return tmp_path / "out"


def test_a_step_that_fails_or_hangs_costs_no_other_and_keeps_its_figures(steps: Path) -> None:
    assert session.run(options(steps)) == 1
    found = {name: result(steps, name) for name in ("good", "slow", "bad")}
    assert {name: one["status"] for name, one in found.items()} == {
        "good": "finished",
        "slow": "out of time",
        "bad": "failed (3)",
    }
    assert [[f["measure"] for f in one["figures"]] for one in found.values()] == [["a"], ["c"], ["b"]]
    assert sorted(path.name for path in steps.iterdir()) == ["bad.json", "good.json", "slow.json"]


def test_a_finished_step_is_not_done_again(steps: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = options(steps)
    asked.steps = ["good"]
    assert session.run(asked) == 0
    before = (steps / "good.json").stat().st_mtime_ns
    assert session.run(asked) == 0
    assert "good: finished before" in capsys.readouterr().out
    assert (steps / "good.json").stat().st_mtime_ns == before
    asked.dry_run = True  # a rehearsal says nothing of the machine, nor the other way round
    assert session.run(asked) == 0
    assert (steps / "good.json").stat().st_mtime_ns > before


def test_nothing_starts_when_the_time_is_up(steps: Path) -> None:
    assert session.run(options(steps, "--minutes", "0")) == 1
    assert not list(steps.iterdir())


def test_a_kit_is_unpacked_once_and_stands_ahead_of_what_is_installed(
    steps: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    staged, kit = tmp_path / "staged", tmp_path / "kit"
    (staged / "site").mkdir(parents=True)
    (staged / "site" / "numpy.py").write_text("version = 'of the kit'")
    (staged / "runs" / "shop").mkdir(parents=True)
    (staged / "runs" / "shop" / "config.json").write_text("{}")
    pack(staged, kit)
    (tmp_path / "good.py").write_text(
        "import numpy\nfrom benchmarks.gpu.step import Step\nstep = Step.of()\n"
        "step.add('numpy', numpy.version)\nstep.add('runs', [run.name for run in step.runs])\n"
    )
    for _ in range(2):
        asked = options(steps, "--kit", str(kit), "--force")
        asked.steps = ["good"]
        assert session.run(asked) == 0
    assert capsys.readouterr().out.count("unpacked in") == 1
    assert [figure["value"] for figure in result(steps, "good")["figures"]] == ["of the kit", ["shop"]]
