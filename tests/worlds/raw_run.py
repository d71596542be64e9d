"""A tiny run: five items of five kinds, five sessions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from m2trec_merlin.attributes import parse_attribute
from m2trec_merlin.config import Config
from m2trec_merlin.manifests import write_manifest

ATTRIBUTES = [
    {"name": "title", "kind": "text", "max_tokens": 4, "vocabulary_size": 60},
    {"name": "brand", "kind": "categorical", "column": "maker"},
    {"name": "tags", "kind": "multi_categorical", "max_tokens": 2},
    {"name": "price", "kind": "numeric", "log": True},
    {"name": "picture", "kind": "vector", "size": 2},
]

#: In the order of the source. Training keeps two events of a session: 11 (twice), 12 and 10 (once); never 13
#: and 14.
ITEMS = pd.DataFrame(
    {
        "item_id": [10, 11, 12, 13, 14],
        "title": ["Red apple", "Red wine", None, "Green apple juice", "  "],
        "maker": [7.0, 8.0, 7.0, 9.0, None],
        "tags": ["fruit|fresh", "drink", "", "drink|fruit|fresh", None],
        "price": [1.0, 3.0, 3.0, None, 7.0],
        "picture": [[1.0, 0.0], [0.0, 1.0], None, [0.5, 0.5], [0.0, 2.0]],
    }
)

SESSIONS = {
    "train": {"b": [11, 10], "a": [11, 12, 11]},
    "valid": {"d": [11, 13]},
    "test": {"c": [10, 14, 13], "e": [12, 12]},
}


def make_config(work_dir: Path, attributes: list[dict[str, Any]] | None = None, **data: Any) -> Config:
    return Config(
        name="tiny",
        work_dir=work_dir,
        attributes=[parse_attribute(**a) for a in (ATTRIBUTES if attributes is None else attributes)],
        data={"max_session_length": 2, **data},
    )


def write_data(
    work_dir: Path,
    items: pd.DataFrame = ITEMS,
    sessions: dict[str, dict[Any, list[Any]]] | None = None,
    sessions_per_part: int = 1,
) -> Path:
    data = work_dir / "data"
    for split, by_id in (SESSIONS if sessions is None else sessions).items():
        folder = data / "interactions" / split
        folder.mkdir(parents=True, exist_ok=True)
        names = list(by_id)
        for part, first in enumerate(range(0, len(names), sessions_per_part)):
            events = [
                (name, item, position)
                for name in names[first : first + sessions_per_part]
                for position, item in enumerate(by_id[name])
            ]
            frame = pd.DataFrame(events, columns=["session_id", "item_id", "position"])
            frame.to_parquet(folder / f"part-{part:05d}.parquet", index=False)
    items.to_parquet(data / "items.parquet", index=False)
    write_manifest(data, "data", {})
    return data


def preprocessed(work_dir: Path) -> Config:
    """Write the data and preprocess them; return their configuration."""
    from m2trec_merlin.preprocessing.run import preprocess

    write_data(work_dir)
    config = make_config(work_dir)
    preprocess(config)
    return config


@pytest.fixture
def tiny(tmp_path: Path) -> Config:
    """A configuration whose data folder is written."""
    write_data(tmp_path)
    return make_config(tmp_path)


@pytest.fixture(scope="session")
def write() -> Callable[..., Path]:
    return write_data


@pytest.fixture(scope="session")
def configure() -> Callable[..., Config]:
    return make_config
