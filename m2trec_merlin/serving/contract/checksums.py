"""Version folders of the Triton repository, sealed when they are written and checked when they are loaded."""

from __future__ import annotations

import json
from pathlib import Path

from m2trec_merlin import __version__
from m2trec_merlin.artifacts import atomic_write, read_json, sha256
from m2trec_merlin.errors import ArtifactError

CHECKSUMS = "checksums.json"

#: Raised whenever files of a version folder change their meaning, so that old code refuses new folders.
FORMAT = 7


def seal(directory: Path) -> None:
    """Write the SHA-256 of every file in `directory`, and the format they are in."""
    content = {"format": FORMAT, "m2trec_merlin": __version__, "sha256": _sums(directory)}
    atomic_write(directory / CHECKSUMS, json.dumps(content, indent=2))


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


def _sums(directory: Path) -> dict[str, str]:
    # Python writes its caches beside the code that Triton runs.
    files = (p for p in directory.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    return {str(p.relative_to(directory)): sha256(p) for p in sorted(files) if p != directory / CHECKSUMS}
