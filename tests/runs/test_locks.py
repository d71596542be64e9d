"""Two processes on one run: the later one is refused, and what a killed one left is cleared away."""

from __future__ import annotations

import errno
import fcntl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
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
            with run.step(verb).locked():
                continue
        message = f"another process is at work on .*{folder}: run this again"
        with pytest.raises(ArtifactError, match=message), run.step(verb).locked():
            raise AssertionError(f"{verb} works where another process is at work")
    others.pop().kill()
    for verb in refused:
        with run.step(verb).locked():
            continue
    assert not list(done.glob(".*")), "the locks are gone"


def test_variants_train_beside_each_other(done: Path, others: list[Other]) -> None:
    others.append(Other(done / "model", "alone"))
    variant = Run(configure(done).with_variant("metrec"))
    with variant.step("train").locked():
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
    with Run(configure(done)).step("data").locked():
        assert sorted(path.name for path in done.glob(".*")) == [".data.lock", ".preprocessed.123.tmp"]


def test_what_a_killed_process_was_about_to_replace_is_there_again(done: Path) -> None:
    manifest = (done / "data" / "manifest.json").read_bytes()
    (done / "data").rename(done / ".data.123.old")
    (done / ".data.123.tmp").mkdir()
    with Run(configure(done)).step("data").locked():
        assert (done / "data" / "manifest.json").read_bytes() == manifest
        assert [path.name for path in done.glob(".*")] == [".data.lock"]


def test_where_no_lock_can_be_there_is_none(done: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> int:
        raise PermissionError(13, "read-only")

    monkeypatch.setattr("m2trec_merlin.runs.locks.os.open", refuse)
    with lock(done / "data"), lock(done / "data"):
        assert not list(done.glob(".*"))


@pytest.mark.parametrize("error", [errno.ENOLCK, errno.ENOTSUP])
def test_a_file_system_without_locks_has_none(
    done: Path, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    def refuse(file: int, kind: int) -> None:
        raise OSError(error, "none here")

    monkeypatch.setattr("m2trec_merlin.runs.locks.fcntl.flock", refuse)
    before = psutil.Process().num_fds()
    with lock(done / "data"), lock(done / "data"):
        assert psutil.Process().num_fds() == before


def test_a_lock_that_is_taken_away_in_between_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, flock = tmp_path / ".data.lock", fcntl.flock
    taken = []

    def take_away(file: int, kind: int) -> None:
        flock(file, kind)
        if not taken:
            taken.append(path.unlink())

    monkeypatch.setattr("m2trec_merlin.runs.locks.fcntl.flock", take_away)
    with lock(tmp_path / "data"), pytest.raises(ArtifactError, match="another process is at work"):
        assert taken and path.exists()
        with lock(tmp_path / "data"):
            raise AssertionError("two hold one folder")


def test_a_step_that_cannot_be_written_is_refused_before_it_begins(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("a file")
    step = Run(configure(tmp_path / "results")).step("data")
    message = r"cannot write to .*results/data: .*results is no folder"
    with pytest.raises(ArtifactError, match=message), step.locked():
        raise AssertionError("nothing is computed in vain")
