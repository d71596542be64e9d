from __future__ import annotations

import json
from pathlib import Path

import pytest

from m2trec_merlin.contract.checksums import CHECKSUMS, require_sealed, seal
from m2trec_merlin.errors import ArtifactError


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


def test_of_a_sealed_folder_inside_seal_and_code_count(folder: Path) -> None:
    seal(folder / "inner")
    (folder / "inner" / "model.py").write_text("1")
    seal(folder)
    (folder / "inner" / "weights.npy").write_bytes(b"its own folder notices")
    require_sealed(folder)
    (folder / "inner" / "model.py").write_text("2")
    with pytest.raises(ArtifactError, match=r": inner/model\.py changed"):
        require_sealed(folder)


@pytest.mark.parametrize(
    ("old", "new"), [('"seal"', '"sale"'), ('"inner/weights', '"inner/waits'), ("{", "")]
)
def test_an_altered_seal_is_named_itself(folder: Path, old: str, new: str) -> None:
    path = folder / CHECKSUMS
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(ArtifactError, match=rf"{CHECKSUMS} is damaged.*m2trec export --force"):
        require_sealed(folder)
