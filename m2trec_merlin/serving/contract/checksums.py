"""Version folders of the Triton repository, sealed when they are written and checked when they are loaded."""

from __future__ import annotations

import json
from pathlib import Path

from m2trec_merlin import __version__
from m2trec_merlin.artifacts import atomic_write, fingerprint, read_json, sha256
from m2trec_merlin.errors import ArtifactError

CHECKSUMS = "checksums.json"

#: Raised whenever files of a version folder change their meaning, so that old code refuses new folders.
FORMAT = 8


def seal(*directories: Path) -> None:
    """Write into version folders of one export the SHA-256 of their files, and the format they are in.

    They get a name in common, made of what all of them hold; see `model_version`.
    """
    sums = [_sums(directory) for directory in directories]
    head = {"format": FORMAT, "m2trec_merlin": __version__, "version": fingerprint(sums)}
    for directory, own in zip(directories, sums, strict=True):
        atomic_write(directory / CHECKSUMS, json.dumps({**head, "sha256": own}, indent=2))


def require_sealed(directory: Path) -> None:
    """Check that `directory` is what `seal` saw.

    Raises:
        ArtifactError: files are missing, were added or altered, or are in another format.
    """
    content = read_json(directory / CHECKSUMS, "export")
    if content["format"] != FORMAT:
        raise ArtifactError(
            f"{directory} is in format {content['format']} of m2trec-merlin {content['m2trec_merlin']}, and "
            f"this is {__version__} with format {FORMAT}: install the same version, or export again"
        )
    saved, found = content["sha256"], _sums(directory)
    wrong = sorted(name for name in saved.keys() | found.keys() if saved.get(name) != found.get(name))
    if wrong:
        raise ArtifactError(
            f"{directory}: {', '.join(wrong)} changed since the export: run `m2trec export --force`"
        )


def model_version(directory: Path) -> str:
    """Return what the export is known by that a version folder belongs to: 16 hexadecimal digits.

    Exports with the same content have the same name.

    Raises:
        ArtifactError: the folder is not sealed.
    """
    return str(read_json(directory / CHECKSUMS, "export")["version"])


def written(directory: Path) -> float:
    """Return when a version folder was sealed, in seconds since 1970."""
    return (directory / CHECKSUMS).stat().st_mtime


def _sums(directory: Path) -> dict[str, str]:
    # Python writes its caches beside the code that Triton runs.
    files = (p for p in directory.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    return {str(p.relative_to(directory)): sha256(p) for p in sorted(files) if p != directory / CHECKSUMS}
