from __future__ import annotations

import os
import platform
import shutil
import sys
from collections import namedtuple
from pathlib import Path

import pytest

from m2trec_merlin.diagnosis.findings import Finding, State
from m2trec_merlin.diagnosis.machine import check_disk, check_processor, check_python, size
from m2trec_merlin.runs import Run
from tests.runs.folders import configure, do

Usage = namedtuple("Usage", "total used free")


@pytest.mark.parametrize(
    ("version", "state"),
    [((3, 9), "blocked"), ((3, 10), "ready"), ((3, 12), "ready"), ((3, 13), "blocked")],
)
def test_pythons(version: tuple[int, int], state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (*version, 1))
    found = check_python(None)
    assert found.state is State(state)
    assert (found.remedy == "make an environment with 3.10 to 3.12") == (state == "blocked")


@pytest.mark.parametrize(
    ("system", "machine", "state"),
    [
        ("Linux", "x86_64", State.READY),
        ("Linux", "aarch64", State.READY),
        ("Linux", "ppc64le", State.BLOCKED),
        ("Darwin", "arm64", State.BLOCKED),
    ],
)
def test_triton_is_made_for_few_machines(
    system: str, machine: str, state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    assert check_processor(None).state is state


def disk(free: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Finding:
    """What is found where a run has results and its disk so much room."""
    config = configure(folder)
    monkeypatch.setattr(shutil, "disk_usage", lambda place: Usage(0, 0, free))
    do(Run(config), "data", "x" * 5_000)
    do(Run(config), "preprocess", "x" * 100)
    return check_disk(config)


@pytest.mark.parametrize(
    ("free", "state"), [(4_000, State.BLOCKED), (10_000, State.LIMITED), (1 << 30, State.READY)]
)
def test_a_new_result_stands_beside_the_old_one(
    free: int, state: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert disk(free, tmp_path, monkeypatch).state is state


def test_a_folder_that_is_not_there_yet_is_on_the_disk_of_those_above(tmp_path: Path) -> None:
    found = check_disk(configure(tmp_path / "not" / "yet"))
    assert found.state is not State.BLOCKED and str(tmp_path / "not" / "yet") in found.found


def test_a_place_that_may_not_be_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda place, mode: False)
    found = check_disk(configure(tmp_path / "run"))
    assert found.state is State.BLOCKED
    assert found.found == f"{tmp_path} may not be written to" and "work_dir" in found.remedy


def test_sizes_as_people_read_them() -> None:
    assert [size(n) for n in (0, 1 << 20, 923 << 20, 3 << 29)] == ["0 MiB", "1 MiB", "923 MiB", "1.5 GiB"]
