"""Folders of steps that a test has changed by hand, as if the step had written them so."""

from __future__ import annotations

import json
from pathlib import Path

from m2trec_merlin.artifacts import MANIFEST, atomic_write, read_json, sha256


def as_if_written(folder: Path) -> None:
    """Have the manifest of a folder name the files that are there."""
    manifest = read_json(folder / MANIFEST)
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST)
    manifest["sha256"] = {str(path.relative_to(folder)): sha256(path) for path in files}
    atomic_write(folder / MANIFEST, json.dumps(manifest))
