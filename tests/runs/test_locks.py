"""Two processes on one run: the later one is refused, and what a killed one left is cleared away."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from m2trec_merlin.errors import ArtifactError
from m2trec_merlin.runs import Run, Verb
from m2trec_merlin.runs.locks import lock
from tests.runs.folders import configure

HOLD = """
import fcntl, sys
file = open(sys.argv[1], "a")
fcntl.flock(file, fcntl.LOCK_SH if sys.argv[2] == "shared" else fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


class Other:
    """Another process, which holds a folder until it is killed."""

    def __init__(self, folder: Path, kind: str) -> None:
        command = [sys.executable, "-c", HOLD, str(folder.with_name(f".{folder.name}.lock")), kind]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.process.stdout is not None and self.process.stdout.readline() == b"held\n"

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def others() -> Iterator[list[Other]]:
    found: list[Other] = []
    yield found
    for other in found:
        other.kill()


@pytest.mark.parametrize(
    ("theirs", "folder", "refused"),
    [
        ("alone", "data", ["data", "preprocess"]),
        ("shared", "data", ["data"]),
        ("alone", "preprocessed", ["preprocess", "train", "evaluate", "export"]),
        ("shared", "preprocessed", ["preprocess"]),
        ("alone", "model", ["train", "evaluate", "export"]),
        ("alone", "evaluation", ["evaluate"]),
        ("alone", "triton", ["export"]),
    ],
)
def test_nobody_writes_what_another_one_writes_or_reads(
    done: Path, others: list[Other], theirs: str, folder: str, refused: list[Verb]
) -> None:
    run = Run(configure(done))
    others.append(Other(done / folder, theirs))
    for verb in ("data", "preprocess", "train", "evaluate", "export"):
        if verb not in refused:
            with run.step(verb).at_work():
                continue
        message = f"another process is at work on .*{folder}: run this again"
        with pytest.raises(ArtifactError, match=message), run.step(verb).at_work():
            raise AssertionError(f"{verb} works where another process is at work")
    others.pop().kill()
    for verb in refused:
        with run.step(verb).at_work():
            continue
    assert not list(done.glob(".*")), "the locks are gone"


def test_variants_train_beside_each_other(done: Path, others: list[Other]) -> None:
    others.append(Other(done / "model", "alone"))
    variant = Run(configure(done).with_variant("metrec"))
    with variant.step("train").at_work():
        assert not variant.model.exists()


def test_a_lock_is_the_file_that_is_there(tmp_path: Path) -> None:
    with ExitStack() as stack:
        stack.enter_context(lock(tmp_path / "a", shared=True))
        with lock(tmp_path / "a", shared=True):
            pass
        with pytest.raises(ArtifactError), lock(tmp_path / "a"):
            raise AssertionError("others still read")
    with lock(tmp_path / "a"):
        pass
    assert not list(tmp_path.iterdir())


def test_remains_of_killed_processes_go(done: Path) -> None:
    for name in (".data.123.tmp", ".data.123.old", ".preprocessed.123.tmp"):
        (done / name).mkdir()
    with Run(configure(done)).step("data").at_work():
        assert sorted(path.name for path in done.glob(".*")) == [".data.lock", ".preprocessed.123.tmp"]


def test_where_no_lock_can_be_there_is_none(done: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> int:
        raise PermissionError(13, "read-only")

    monkeypatch.setattr("m2trec_merlin.runs.locks.os.open", refuse)
    with lock(done / "data"), lock(done / "data"):
        pass


def test_a_step_that_cannot_be_written_is_refused_before_it_begins(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("a file")
    step = Run(configure(tmp_path / "results")).step("data")
    message = r"cannot write to .*results/data: .*results is no folder"
    with pytest.raises(ArtifactError, match=message), step.at_work():
        raise AssertionError("nothing is computed in vain")
