"""The fingerprint that identifies an export in metrics, in logs, and to a worker that serves two exports."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from m2trec_merlin.artifacts import fingerprint, read_json, reading
from m2trec_merlin.contract.checksums import CHECKSUMS
from m2trec_merlin.contract.names import PREDICT, PREPROCESS
from m2trec_merlin.contract.repository import version_folder


def export_version(repository: Path) -> str:
    """Return the fingerprint of a model repository: 16 hexadecimal digits, the same for the same content.

    The format counts, since the same files mean something else in another format. Where Triton fetches models
    one by one, as from a bucket, only one step's folder is there and counts.
    """
    seals = [version_folder(repository, name) / CHECKSUMS for name in (PREPROCESS, PREDICT)]
    return fingerprint([_sealed(seal) for seal in seals if seal.is_file()])


def _sealed(seal: Path) -> list[Any]:
    content = read_json(seal, "export")
    with reading(seal, "export"):
        return [content["format"], content["sha256"]]


def repository_of(folder: Path) -> Path:
    """Return the repository that a version folder of a step belongs to."""
    return folder.parents[1]


def written(folder: Path) -> float:
    """Return when a version folder was sealed, in seconds since 1970."""
    return (folder / CHECKSUMS).stat().st_mtime
