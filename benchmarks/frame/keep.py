"""Records of finished systems, so that a benchmark that was killed goes on where it stood."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.training.process import Trained
from m2trec_merlin.artifacts import atomic_write, read_json


def write_trained(path: Path, trained: Trained, key: str) -> None:
    """Keep what a system did.

    Args:
        path: of the record.
        trained: curve and memory.
        key: fingerprint of everything the record depends on.
    """
    atomic_write(path, json.dumps({"key": key, "trained": trained.as_dict()}, indent=2))


def read_trained(path: Path, key: str) -> Trained | None:
    """Return the record, or None if there is none or it was made with other data, settings or code."""
    if not path.is_file():
        return None
    content = read_json(path)
    return Trained.from_dict(content["trained"]) if content["key"] == key else None
