"""Paths inside a Triton model repository."""

from __future__ import annotations

from pathlib import Path

from m2trec_merlin.contract.names import ENSEMBLE
from m2trec_merlin.errors import ArtifactError

FIRST_VERSION = "1"
#: Folder beside it with the versions of the catalogue since the export.
CATALOGUE = "catalogue"


def version_folder(repository: Path, model: str) -> Path:
    """Return the folder of a model's first version."""
    return repository / model / FIRST_VERSION


def find_repository(path: Path) -> Path:
    """Return `path` if it is a model repository, or else the one that it contains, as a run's folder does.

    Links are followed, so that the result stays the same when a link changes.

    Raises:
        ArtifactError: there is no model repository, or several.
    """
    there = f"{ENSEMBLE}/config.pbtxt"
    # Folders that begin with a dot are still being written.
    found = [path] if (path / there).is_file() else sorted(f.parents[1] for f in path.glob(f"[!.]*/{there}"))
    if not found:
        raise ArtifactError(f"{path} holds no Triton model '{ENSEMBLE}': run `m2trec export` first")
    if len(found) > 1:
        raise ArtifactError(f"{path} holds several exports ({', '.join(f.name for f in found)}): name one")
    return found[0].resolve()
