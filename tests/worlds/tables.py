"""Tiny sources with known contents."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from m2trec_merlin.config import Config
from m2trec_merlin.data.validation import validate
from m2trec_merlin.errors import DataError

ITEMS = pd.DataFrame(
    {
        "item_id": [10, 20, 30, 40],
        "title": ["red apple", "green apple", "brown bread", "white bread"],
        "category": ["fruit", "fruit", "bakery", "bakery"],
        "price": [1.5, 2.0, None, 3.25],
    }
)
EVENTS = pd.DataFrame(
    {
        "session_id": [1, 1, 1, 2, 2, 3, 3, 3, 4],
        "item_id": [20, 10, 30, 40, 40, 10, 20, 30, 10],
        "position": [2, 1, 3, 1, 2, 1, 2, 3, 1],
    }
)
ATTRIBUTES = [
    {"name": "title", "kind": "text"},
    {"name": "category", "kind": "categorical"},
    {"name": "price", "kind": "numeric"},
]

MakeConfig = Callable[..., Config]


def problems_of(config: Config) -> list[str]:
    """Everything that is wrong with the tables of a configuration, of which there must be something."""
    with pytest.raises(DataError) as caught:
        validate(config.open_source(), config)
    assert all(problem in str(caught.value) for problem in caught.value.problems)
    return caught.value.problems


@pytest.fixture
def items() -> pd.DataFrame:
    return ITEMS.copy()


@pytest.fixture
def events() -> pd.DataFrame:
    return EVENTS.copy()


@pytest.fixture
def make_config(tmp_path: Path) -> MakeConfig:
    """Write two tables and return the configuration that reads them."""

    def make(
        events: pd.DataFrame,
        items: pd.DataFrame,
        suffix: str = "csv",
        attributes: list[dict[str, Any]] | None = None,
        **data: Any,
    ) -> Config:
        paths = {}
        for name, table in (("interactions", events), ("items", items)):
            paths[name] = tmp_path / f"{name}.{suffix}"
            if suffix == "parquet":
                table.to_parquet(paths[name], index=False)
            else:
                table.to_csv(paths[name], index=False)
        section = {
            "source": "tables",
            **paths,
            "columns": {"order": "position"} if "position" in events else {},
            "split": {"kind": "modulus", "modulus": 3, "test": [0], "valid": [1]},
            **data,
        }
        return Config.model_validate(
            {
                "name": "tiny",
                "work_dir": tmp_path / "run",
                "data": section,
                "attributes": ATTRIBUTES if attributes is None else attributes,
            }
        )

    return make
