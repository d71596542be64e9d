from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from m2trec_merlin.contract.checksums import seal
from m2trec_merlin.contract.identity import export_version, repository_of, written
from m2trec_merlin.contract.names import PREDICT, PREPROCESS
from m2trec_merlin.contract.repository import version_folder
from m2trec_merlin.errors import ArtifactError


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    for name in (PREPROCESS, PREDICT):
        folder = version_folder(tmp_path / "a", name)
        folder.mkdir(parents=True)
        (folder / "data").write_text(name)
        seal(folder)
    return tmp_path / "a"


def test_the_same_content_has_the_same_name(repository: Path, tmp_path: Path) -> None:
    version = export_version(repository)
    copy = Path(shutil.copytree(repository, tmp_path / "b"))
    assert len(version) == 16 and export_version(copy) == version
    for name in (PREPROCESS, PREDICT):
        folder = version_folder(copy, name)
        assert repository_of(folder) == copy
        (folder / "data").write_text("other")
        seal(folder)
        assert export_version(copy) != version
        (folder / "data").write_text(name)
        seal(folder)
        assert export_version(copy) == version


def test_it_was_written_when_it_was_sealed(repository: Path) -> None:
    folder = version_folder(repository, PREDICT)
    assert written(folder) == (folder / "checksums.json").stat().st_mtime


def test_a_step_that_is_alone_has_a_name(repository: Path) -> None:
    version = export_version(repository)
    shutil.rmtree(repository / PREPROCESS)
    assert len(export_version(repository)) == 16 and export_version(repository) != version


@pytest.mark.parametrize("content", ["[1]", "{}", "{"])
def test_a_damaged_seal_is_named(repository: Path, content: str) -> None:
    (version_folder(repository, PREDICT) / "checksums.json").write_text(content)
    with pytest.raises(ArtifactError, match=r"checksums\.json is damaged .*: run `m2trec export --force`"):
        export_version(repository)
