"""Where things are in a Triton model repository."""

from __future__ import annotations

from pathlib import Path

from m2trec_merlin.contract.names import ENSEMBLE
from m2trec_merlin.errors import ArtifactError

FIRST_VERSION = "1"
#: Beside it: what changed since the export.
CATALOGUE = "catalogue"


def version_folder(repository: Path, model: str) -> Path:
    """Return the folder of a model's first version."""
    return repository / model / FIRST_VERSION


def find_repository(path: Path) -> Path:
    """Return the model repository that a folder is, or that stands in it, as in that of a run.

    Links are followed, so that what is found stays what it is when they change.

    Raises:
        ArtifactError: there is none, or several.
    """
    there = f"{ENSEMBLE}/config.pbtxt"
    # What begins with a dot is still being written.
    found = [path] if (path / there).is_file() else sorted(f.parents[1] for f in path.glob(f"[!.]*/{there}"))
    if not found:
        raise ArtifactError(f"{path} holds no Triton model '{ENSEMBLE}': run `m2trec export` first")
    if len(found) > 1:
        raise ArtifactError(f"{path} holds several exports ({', '.join(f.name for f in found)}): name one")
    return found[0].resolve()
