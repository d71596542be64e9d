"""A shop whose events have attributes, in two tables: a run of it can be prepared, trained and exported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from m2trec_merlin.config import Config

ITEMS = pd.DataFrame(
    {
        "item_id": [f"sku-{n}" for n in range(24)],
        "title": [f"{('red', 'blue', 'green')[n % 3]} {('hat', 'shoe')[n % 2]} {n % 5}" for n in range(24)],
        "category": [("hats", "shoes")[n % 2] for n in range(24)],
    }
)
EVENT_ATTRIBUTES: list[dict[str, Any]] = [
    {"name": "event_type", "kind": "categorical", "column": "event"},
    {"name": "paid", "kind": "numeric", "log": True},
    {"name": "flags", "kind": "multi_categorical"},
    {"name": "hour", "kind": "categorical", "column": "@hour"},
    {"name": "gap", "kind": "numeric", "column": "@log_gap"},
]


def make_events(sessions: int = 60, seed: int = 0) -> pd.DataFrame:
    """Events in order of time; some say less of themselves than others."""
    random = np.random.default_rng(seed)
    lengths = random.integers(2, 9, sessions)
    count = int(lengths.sum())
    return pd.DataFrame(
        {
            "session_id": np.repeat([f"s{n}" for n in range(sessions)], lengths),
            "item_id": [f"sku-{n}" for n in random.integers(0, 24, count)],
            "time": 1_700_000_000 + random.integers(1, 9000, count).cumsum(),
            "event": random.choice(np.array(["view", "cart", "buy", None], object), count),
            "paid": np.where(random.random(count) < 0.9, random.gamma(2, 5, count).round(2), np.nan),
            "flags": ["|".join(random.choice(["a", "b", "c"], 2)) for _ in range(count)],
        }
    )


def events_config(
    folder: Path, events: pd.DataFrame | None = None, *, data: dict[str, Any] | None = None, **sections: Any
) -> Config:
    """Write both tables; return a configuration of a small model that reads them."""
    (make_events() if events is None else events).to_csv(folder / "events.csv", index=False)
    ITEMS.to_csv(folder / "items.csv", index=False)
    return Config.model_validate(
        {
            "name": "eventful",
            "work_dir": folder / "run",
            "data": {
                "source": "tables",
                "interactions": folder / "events.csv",
                "items": folder / "items.csv",
                "columns": {"order": "time"},
                "options": {"time_format": "s"},
                "split": {"kind": "hash", "test_share": 0.2, "valid_share": 0.2},
                "max_session_length": 4,
                **(data or {}),
            },
            "attributes": [
                {"name": "title", "kind": "text", "vocabulary_size": 60},
                {"name": "category", "kind": "categorical"},
            ],
            "event_attributes": EVENT_ATTRIBUTES,
            "model": {
                "width": 16,
                "min_dim": 8,
                "session": {"heads": 2, "layers": 1, "feedforward": 32},
                "next_item": {"negatives": 8},
                "next_attributes": [{"attribute": "category"}],
            },
            "training": {"epochs": 3, "batch_size": 8, "precision": "float32", "warmup_steps": 2},
            "evaluation": {"bootstrap_samples": 10, "baselines": []},
            "serving": {"mixture": {"kind": "off"}},
            **sections,
        }
    )
