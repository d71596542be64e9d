from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.serving.catalogue.test_run import NEW
from tests.worlds.shop import Shop


@pytest.fixture
def repository(shop: Shop, tmp_path: Path) -> Path:
    return Path(shutil.copytree(shop.repository, tmp_path / "triton"))


@pytest.fixture
def new_items(tmp_path: Path) -> Path:
    path = tmp_path / "new.parquet"
    NEW.to_parquet(path, index=False)
    return path
