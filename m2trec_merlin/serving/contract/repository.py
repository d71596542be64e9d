"""Where things are in a Triton model repository, and where the repository of a run is."""

from __future__ import annotations

from pathlib import Path

from m2trec_merlin.errors import ArtifactError
from m2trec_merlin.serving.contract.names import ENSEMBLE

FIRST_VERSION = "1"

#: Of a run.
TRITON = "triton"


def version_folder(repository: Path, model: str) -> Path:
    """Return the folder of a model's first version."""
    return repository / model / FIRST_VERSION


def find_repository(path: Path) -> Path:
    """Return the model repository that a folder is, or that is in the folder of a run.

    Links are followed, so that what is found stays what it is when they change.

    Raises:
        ArtifactError: there is none.
    """
    for folder in (path, path / TRITON):
        if (folder / ENSEMBLE / "config.pbtxt").is_file():
            return folder.resolve()
    raise ArtifactError(f"{path} holds no Triton model '{ENSEMBLE}': run `m2trec export` first")
