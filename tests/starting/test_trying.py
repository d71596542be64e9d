"""The data step is tried on what `init` has written."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest

from m2trec_merlin.artifacts import writing
from m2trec_merlin.config import load_config
from m2trec_merlin.starting import run
from tests.starting.test_run import clicks, products


def test_no_room_to_try_it_leaves_what_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    products().to_csv(tmp_path / "products.csv", index=False)
    clicks().to_csv(tmp_path / "clicks.csv", index=False)

    def full(config: Any) -> None:
        with writing(config.directory / "data"):
            raise OSError(errno.ENOSPC, "")

    monkeypatch.setattr(run, "prepare_data", full)
    done = run.start(tmp_path / "clicks.csv", tmp_path / "products.csv", tmp_path / "shop.yaml")
    assert done.tried is not None and "work_dir" not in done.tried
    assert done.tried.endswith("(TMPDIR): No space left on device")
    assert load_config(tmp_path / "shop.yaml") == done.config
