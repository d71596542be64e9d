from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from m2trec_merlin.readers.files.dialect import Dialect
from m2trec_merlin.starting.look import Look, look_at

LookAt = Callable[..., Look]


@pytest.fixture
def look(tmp_path: Path) -> LookAt:
    """Write a table and look at it."""

    def write_and_look(table: pd.DataFrame, name: str = "table", limit: int = 10_000) -> Look:
        path = tmp_path / f"{name}.csv"
        table.to_csv(path, index=False)
        return look_at(path, Dialect(), limit)

    return write_and_look
