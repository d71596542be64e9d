from __future__ import annotations

import json
from pathlib import Path

import pytest

from m2trec_merlin.errors import ArtifactError
from m2trec_merlin.serving.contract.checksums import CHECKSUMS, require_sealed, seal


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "weights.npy").write_bytes(b"123")
    (tmp_path / "settings.json").write_text("{}")
    seal(tmp_path)
    return tmp_path


def test_an_untouched_folder_passes(folder: Path) -> None:
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "model.pyc").write_bytes(b"python writes these")
    require_sealed(folder)


def test_altered_added_and_removed_files_are_named(folder: Path) -> None:
    (folder / "inner" / "weights.npy").write_bytes(b"124")
    (folder / "extra").write_text("")
    (folder / "settings.json").unlink()
    with pytest.raises(ArtifactError, match=r"extra, inner/weights\.npy, settings\.json changed"):
        require_sealed(folder)


def test_another_format_is_refused(folder: Path) -> None:
    content = json.loads((folder / CHECKSUMS).read_text())
    (folder / CHECKSUMS).write_text(json.dumps({**content, "format": 99}))
    with pytest.raises(ArtifactError, match="format 99"):
        require_sealed(folder)


def test_an_unsealed_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=CHECKSUMS):
        require_sealed(tmp_path)
