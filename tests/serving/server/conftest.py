from __future__ import annotations

import os
from pathlib import Path

import pytest

from m2trec_merlin.contract.checksums import seal
from m2trec_merlin.serving.server import process as serving
from m2trec_merlin.serving.server.triton_folder import TritonFolder


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    config = tmp_path / "repository" / "m2trec" / "config.pbtxt"
    config.parent.mkdir(parents=True)
    config.touch()
    seal(config.parent.parent)
    return config.parent.parent


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An executable file that is started as Triton; tests write its code."""
    path = tmp_path / "tritonserver"
    path.touch(0o755)
    folder = TritonFolder(path, tmp_path, tmp_path, dict(os.environ))
    monkeypatch.setattr(serving, "assemble_triton", lambda target: folder)
    return path
