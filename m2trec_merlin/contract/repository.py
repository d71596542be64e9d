"""Paths inside a Triton model repository."""

from __future__ import annotations

from pathlib import Path

from m2trec_merlin.contract.names import ENSEMBLE
from m2trec_merlin.errors import ArtifactError
from m2trec_merlin.missing import explain_missing

FIRST_VERSION = "1"
#: Folder beside it with the versions of the catalogue since the export.
CATALOGUE = "catalogue"
_IN_A_REPOSITORY = f"{ENSEMBLE}/config.pbtxt"


def version_folder(repository: Path, model: str) -> Path:
    """Return the folder of a model's first version."""
    return repository / model / FIRST_VERSION


def require_repository(path: Path) -> Path:
    """Return the model repository that `m2trec export` writes to this path.

    Raises:
        ArtifactError: it has not run, or what lies there is no model repository.
    """
    if not path.exists():
        raise ArtifactError(f"{path} is not there yet: run `m2trec export` first")
    # Which of its files are missing is told by their checksums.
    if not (path / ENSEMBLE).is_dir():
        raise _no_model_in(path)
    return path


def find_repository(path: Path) -> Path:
    """Return `path` if it is a model repository, or else the one that it contains, as a run's folder does.

    Links are followed, so that the result stays the same when a link changes.

    Args:
        path: a path that somebody names; see `require_repository` for one where an export belongs.

    Raises:
        ArtifactError: nothing is there, no model repository, or several.
    """
    if not path.exists():
        raise ArtifactError(f"{explain_missing(path)}; `m2trec runs` lists the runs in a folder")
    # Folders that begin with a dot are still being written.
    below = sorted(each.parents[1] for each in path.glob(f"[!.]*/{_IN_A_REPOSITORY}"))
    if (path / _IN_A_REPOSITORY).is_file():
        return path.resolve()
    if not below:
        raise _no_model_in(path)
    if len(below) > 1:
        raise ArtifactError(f"{path} holds several exports ({', '.join(f.name for f in below)}): name one")
    return below[0].resolve()


def _no_model_in(path: Path) -> ArtifactError:
    return ArtifactError(f"{path} holds no Triton model '{ENSEMBLE}': run `m2trec export` first")
