"""Where things are in a Triton model repository."""

from __future__ import annotations

from pathlib import Path

FIRST_VERSION = "1"
#: Beside it: what changed since the export.
CATALOGUE = "catalogue"


def version_folder(repository: Path, model: str) -> Path:
    """Return the folder of a model's first version."""
    return repository / model / FIRST_VERSION
