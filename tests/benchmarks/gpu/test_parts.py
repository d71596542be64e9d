"""A folder travels in files of bounded size."""

from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np
import pytest

from benchmarks.gpu.parts import pack, unpack


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "made"
    (made / "site" / "deep").mkdir(parents=True)
    noise = np.random.default_rng(0).bytes(10_000)  # which does not compress
    (made / "site" / "deep" / "noise").write_bytes(noise)
    (made / "site" / "link").symlink_to("deep/noise")
    (made / "empty").touch()
    return made


def test_what_was_packed_comes_back(folder: Path, tmp_path: Path) -> None:
    parts = pack(folder, tmp_path / "parts", size=3_000)
    assert [part.name for part in parts] == ["part-00", "part-01", "part-02", "part-03"]
    assert [part.stat().st_size for part in parts[:-1]] == [3_000] * 3
    unpack(parts, tmp_path / "back")
    for path in folder.rglob("*"):
        other = tmp_path / "back" / path.relative_to(folder)
        assert other.is_symlink() == path.is_symlink()
        assert other.is_dir() == path.is_dir()
        assert path.is_dir() or other.read_bytes() == path.read_bytes()


def test_a_part_that_is_missing_is_noticed(folder: Path, tmp_path: Path) -> None:
    parts = pack(folder, tmp_path / "parts", size=3_000)
    with pytest.raises((tarfile.TarError, EOFError)):
        unpack(parts[:-1], tmp_path / "back")
