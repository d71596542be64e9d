"""Checksums of the Triton repository and its version folders: written by the export, checked on loading.

A version folder is checked by the step that reads it. The repository is checked before Triton starts: its
manifest, the configurations and code of the models, and the checksum files of the version folders, in place
of their data.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from m2trec_merlin.artifacts import atomic_write, command_of, fingerprint, read_json, reading, sha256
from m2trec_merlin.contract.repository import CATALOGUE
from m2trec_merlin.errors import ArtifactError
from m2trec_merlin.version import __version__

CHECKSUMS = "checksums.json"

#: Increased whenever files of a version folder change their meaning, so that old code refuses new folders.
FORMAT = 21

#: Python writes caches beside the code that Triton runs; the catalogue changes after the export, and its
#: versions have checksums of their own.
_ASIDE = {"__pycache__", CATALOGUE}


def seal(directory: Path) -> None:
    """Write the SHA-256 of each file in `directory`, the format number, and a hash of both.

    Of folders inside that are sealed themselves, only checksum files and code count, not the data.
    """
    sealed = {path.parent for path in directory.rglob(CHECKSUMS)} - {directory}
    content = {"format": FORMAT, "m2trec_merlin": __version__, "sha256": _sums(directory, sealed)}
    atomic_write(directory / CHECKSUMS, json.dumps({**content, "seal": fingerprint(content)}, indent=2))


def seal_of(directory: Path, verb: str = "export") -> str:
    """Return the hash that `seal` wrote over all checksums.

    Args:
        directory: a sealed folder.
        verb: the verb that writes it again.

    Raises:
        ArtifactError: the checksum file is missing or damaged.
    """
    content = read_json(directory / CHECKSUMS, verb)
    with reading(directory / CHECKSUMS, verb):
        return str(content["seal"])


def require_sealed(
    directory: Path, verb: str = "export", files: Iterable[str] | None = None, any_format: bool = False
) -> None:
    """Check that `directory` has not changed since it was sealed.

    Args:
        directory: a sealed folder.
        verb: the verb that writes it again.
        files: names of the files to check; None for all files.
        any_format: whether to accept another format, for callers that read only what is the same in all.

    Raises:
        ArtifactError: files are missing, were added or altered, or are in another format.
    """
    content = read_json(directory / CHECKSUMS, verb)
    with reading(directory / CHECKSUMS, verb):
        if content["format"] != FORMAT and not any_format:
            raise ArtifactError(
                f"{directory} is in format {content['format']} of m2trec-merlin {content['m2trec_merlin']}, "
                f"and this is {__version__} with format {FORMAT}: install the same version, or export again"
            )
        if content.pop("seal") != fingerprint(content):
            raise ValueError("it was altered")
        saved = content["sha256"]
    if files is None:
        sealed = {(directory / name).parent for name in saved if Path(name).name == CHECKSUMS}
        found = _sums(directory, sealed)
    else:
        found = {name: sha256(directory / name) for name in files if (directory / name).is_file()}
        saved = {name: saved[name] for name in files if name in saved}
    wrong = sorted(name for name in saved.keys() | found.keys() if saved.get(name) != found.get(name))
    if wrong:
        since = "the export" if verb == "export" else "it was written"
        raise ArtifactError(
            f"{directory}: {', '.join(wrong)} changed since {since}: run `{command_of(verb)}`"
        )


def _sums(directory: Path, sealed: set[Path]) -> dict[str, str]:
    files = sorted(path for path in _files(directory, sealed) if path != directory / CHECKSUMS)
    return {str(path.relative_to(directory)): sha256(path) for path in files}


def _files(directory: Path, sealed: set[Path]) -> Iterable[Path]:
    for path in directory.rglob("*"):
        if path.is_file() and _ASIDE.isdisjoint(path.relative_to(directory).parts):
            is_data = path.name != CHECKSUMS and path.suffix != ".py"
            if not is_data or sealed.isdisjoint(path.parents):
                yield path
