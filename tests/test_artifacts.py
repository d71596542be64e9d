"""Results appear whole or not at all, and what stands in the way is said once, with the place."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models

from m2trec_merlin.artifacts import (
    atomic_directory,
    atomic_files,
    atomic_write,
    read_json,
    reading,
    recover,
    writing,
)
from m2trec_merlin.errors import ArtifactError
from m2trec_merlin.manifests import is_current, require_manifest, write_manifest
from tests.worlds.disks import small_disk

LARGE = np.arange(100_000)


def everything_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@contextmanager
def refused(message: str) -> Iterator[None]:
    with pytest.raises(ArtifactError, match=message):
        yield


WRITERS: dict[str, Callable[[Path], object]] = {
    "plain": lambda path: path.write_bytes(LARGE.tobytes()),
    "arrow": lambda path: pq.write_table(pa.table({"a": LARGE}), path),
    "numpy": lambda path: np.save(path, LARGE),
    "safetensors": lambda path: save_file({"a": torch.from_numpy(LARGE)}, path),
    "tokenizers": lambda path: Tokenizer(
        models.WordLevel({str(i): i for i in range(30_000)}, unk_token="1")
    ).save(str(path)),
    "nested": lambda path: atomic_write(path, LARGE.tobytes()),
}


@pytest.mark.parametrize("library", WRITERS)
def test_a_full_disk_leaves_the_earlier_result(tmp_path: Path, library: str) -> None:
    target = tmp_path / "data"
    with atomic_directory(target) as folder:
        (folder / "a").write_text("first")
    with (
        small_disk(),
        refused(rf"^cannot write to {target}: (File too large|the disk took only a part of it)"),
        atomic_directory(target) as folder,
    ):
        WRITERS[library](folder / "a")
    assert everything_below(tmp_path) == ["data", "data/a"] and (target / "a").read_text() == "first"


@pytest.mark.parametrize("is_link", [False, True])
def test_a_result_that_cannot_take_its_place_leaves_the_earlier_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_link: bool
) -> None:
    target = real = tmp_path / "data"
    if is_link:
        real = tmp_path / "elsewhere" / "real"
        real.mkdir(parents=True)
        target.symlink_to(real)
    with atomic_directory(target) as folder:
        (folder / "a").write_text("first")
    rename = Path.rename

    def refuse(path: Path, to: Path) -> Path:
        if path.suffix == ".tmp":
            raise OSError(errno.EIO, "Input/output error")
        return rename(path, to)

    monkeypatch.setattr(Path, "rename", refuse)
    with refused(rf"cannot write to {target}: Input/output error"), atomic_directory(target) as folder:
        (folder / "a").write_text("second")
    assert [path.name for path in real.parent.iterdir() if path.name.startswith(".")] == []
    assert (target / "a").read_text() == "first"


KILLED = """
import os, sys
from pathlib import Path
from m2trec_merlin.artifacts import atomic_directory

rename = Path.rename

def killed(path, to):
    if path.suffix == ".tmp":
        os._exit(9)
    return rename(path, to)

Path.rename = killed
with atomic_directory(Path(sys.argv[1])) as folder:
    (folder / "a").write_text("second")
"""


def test_a_process_that_is_killed_between_two_renames_loses_nothing(tmp_path: Path) -> None:
    target = tmp_path / "data"
    with atomic_directory(target) as folder:
        (folder / "a").write_text("first")
    assert subprocess.run([sys.executable, "-c", KILLED, str(target)], check=False).returncode == 9
    assert not target.exists(), "the one moment without a result"
    recover(target)
    assert everything_below(tmp_path) == ["data", "data/a"] and (target / "a").read_text() == "first"


def test_a_full_disk_leaves_the_earlier_file(tmp_path: Path) -> None:
    path = tmp_path / "a"
    atomic_write(path, "first")
    with small_disk(), refused(rf"cannot write to {path}: File too large"):
        atomic_write(path, LARGE.tobytes())
    assert everything_below(tmp_path) == ["a"] and path.read_text() == "first"


def test_files_of_two_results_never_count_as_one(tmp_path: Path) -> None:
    def write(content: bytes, inputs: dict[str, Any]) -> None:
        with atomic_files(tmp_path) as new:
            (new / "a").write_bytes(b"small")
            (new / "b").write_bytes(content)
            write_manifest(new, "train", inputs)

    (tmp_path / "checkpoints").mkdir()
    write(b"first", {"of": 1})
    with small_disk(), refused("cannot write to .*: File too large"):
        write(LARGE.tobytes(), {"of": 2})
    assert is_current(tmp_path, {"of": 1}) and (tmp_path / "b").read_bytes() == b"first"
    write(b"second", {"of": 2})
    assert is_current(tmp_path, {"of": 2}) and (tmp_path / "b").read_bytes() == b"second"
    assert everything_below(tmp_path) == ["a", "b", "checkpoints", "manifest.json"]


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("file", "{0}/file is no folder"),
        ("file/below", "{0}/file is no folder"),
        ("file/below/deep", "{0}/file is no folder"),
        ("dangling", "{0}/dangling is a link to nothing"),
        ("dangling/data", "{0}/dangling is a link to nothing"),
        ("loop/data", "{0}/loop is a link to nothing"),
        ("x" * 300, "File name too long"),
        ("x" * 300 + "/data", "File name too long"),
    ],
)
def test_what_stands_in_the_way_is_named(tmp_path: Path, place: str, reason: str) -> None:
    (tmp_path / "file").write_text("precious")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to("loop")
    before = everything_below(tmp_path)
    message = f"^cannot write to {tmp_path / place}: {reason.format(tmp_path)}; `work_dir` says"
    with refused(message), atomic_directory(tmp_path / place):
        raise AssertionError("nothing is computed in vain")
    assert everything_below(tmp_path) == before


@pytest.mark.parametrize("refusal", [PermissionError(13, "x"), OSError(30, "x"), OSError(122, "x")])
def test_places_where_nobody_may_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusal: OSError
) -> None:
    def refuse(path: Path, *arguments: object, **options: object) -> None:
        raise OSError(refusal.errno, "as the kernel says", str(path))

    monkeypatch.setattr(Path, "mkdir", refuse)
    message = f"cannot write to {tmp_path / 'a'}: {os.strerror(refusal.errno)};"
    with refused(message), atomic_directory(tmp_path / "a"):
        raise AssertionError("nothing is computed in vain")


def test_libraries_may_name_files_by_bytes(tmp_path: Path) -> None:
    """TensorBoard does."""
    name = os.fsencode(tmp_path / "model" / "events")
    with refused(f"cannot write to {tmp_path / 'model'}: Permission denied;"), writing(tmp_path / "model"):
        raise PermissionError(errno.EACCES, "as the kernel says", name)


def test_other_errors_of_the_system_are_not_of_the_disk(tmp_path: Path) -> None:
    for error in (
        FileNotFoundError(2, "", str(tmp_path / "results" / "input")),
        PermissionError(13, "", "/elsewhere/input"),
        ConnectionRefusedError(111, "refused"),
        OSError("a library's own"),
    ):
        with pytest.raises(type(error)) as caught, atomic_directory(tmp_path / "results" / "data"):
            raise error
        assert caught.value is error


def test_a_linked_folder_is_replaced_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "large disk" / "data").mkdir(parents=True)
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "data").symlink_to(tmp_path / "large disk" / "data")
    with atomic_directory(tmp_path / "results" / "data") as folder:
        (folder / "a").write_text("second")
    assert everything_below(tmp_path) == [
        "large disk",
        "large disk/data",
        "large disk/data/a",
        "results",
        "results/data",
    ]


@pytest.mark.parametrize("content", ["", "{", "[]", "3", '{"step": "data"}', "\x00", "\xff"])
def test_a_damaged_manifest_asks_for_its_verb_which_mends_it(tmp_path: Path, content: str) -> None:
    (tmp_path / "manifest.json").write_text(content, encoding="latin-1")
    with refused("manifest.json is damaged .*: run `m2trec preprocess --force`"):
        require_manifest(tmp_path, "preprocess")
    assert not is_current(tmp_path, {})


def test_a_path_that_is_not_utf8_is_told(tmp_path: Path) -> None:
    target = tmp_path / os.fsdecode(b"caf\xe9") / "a"
    with (
        refused("its path is not UTF-8, as libraries want it; `work_dir`"),
        atomic_directory(target) as folder,
    ):
        pq.write_table(pa.table({"x": [1]}), folder / "x.parquet")
    with pytest.raises(UnicodeEncodeError), atomic_directory(tmp_path / "caf\u00e9"):
        "\udce9".encode()


def test_what_cannot_be_read_names_the_verb_that_writes_it(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1 torn")
    with refused(r"a\.parquet is damaged .*: run `m2trec data --force`"), reading(path, "data"):
        pq.read_table(path)
    with refused(r"a\.json is missing: run `m2trec data --force`"):
        read_json(tmp_path / "a.json", "data")
    with refused(r"cannot be read \(Is a directory\): make it again"):
        read_json(tmp_path)
