"""A manifest in the folder of each result: what it was made from, and checksums to tell if it was altered."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Collection, Iterator
from datetime import datetime, timezone
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from m2trec_merlin.artifacts import MANIFEST, atomic_write, fingerprint, read_json, reading, sha256
from m2trec_merlin.errors import ArtifactError

#: Suffixes of files for people, which later steps do not need.
_PAGES = {".html", ".svg", ".md"}
_PACKAGES = (
    "m2trec-merlin",
    "torch",
    "nvtabular",
    "transformers4rec",
    "merlin-dataloader",
    "numpy",
    "pandas",
)


def write_manifest(directory: Path, step: str, inputs: dict[str, Any], **facts: Any) -> None:
    """Write `manifest.json` into a finished folder.

    Args:
        directory: the folder of the result.
        step: the verb that wrote it.
        inputs: everything the result depends on; `is_current` compares it.
        facts: further entries for people (counts, metrics, seconds).
    """
    everything = (path for path in directory.rglob("*") if path.is_file() and path.name != MANIFEST)
    # Folders that begin with a dot hold files that are being written, or were when a process was killed.
    files = sorted(p for p in everything if not p.relative_to(directory).parts[0].startswith("."))
    manifest = {
        "step": step,
        "inputs": fingerprint(inputs),
        "written": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "packages": _versions(),
        **facts,
        "settings": inputs,
        "sha256": {str(p.relative_to(directory)): sha256(p) for p in files},
    }
    atomic_write(directory / MANIFEST, json.dumps(manifest, indent=2, default=str))


def is_current(
    directory: Path,
    inputs: dict[str, Any],
    parts: str = "",
    told: Callable[[dict[str, Any]], dict[str, Any]] = lambda manifest: manifest["settings"],
) -> bool:
    """Tell whether `directory` was completed from these inputs and still holds all that was written.

    Pages for people may have been edited, as no later step reads them.

    Args:
        directory: the folder of the result.
        inputs: the inputs, as for `write_manifest`.
        parts: see `require_unaltered`.
        told: function from a manifest to what counts of its inputs, where these may be recorded otherwise.
    """
    path = directory / MANIFEST
    try:
        manifest = _read_manifest(path, "") if path.is_file() else None
    except ArtifactError:
        return False
    if manifest is None:
        return False
    if fingerprint(inputs) not in (manifest["inputs"], fingerprint(told(manifest))):
        return False
    is_whole = all((directory / name).is_file() for name in manifest["sha256"])
    return is_whole and next(_alterations(directory, manifest, parts), None) is None


def require_manifest(directory: Path, verb: str) -> dict[str, Any]:
    """Return the manifest of an earlier step.

    Raises:
        ArtifactError: the step has not run; the message names the verb to run.
    """
    if not (directory / MANIFEST).is_file():
        raise ArtifactError(f"{directory} is not there yet: run `m2trec {verb}` first")
    return _read_manifest(directory / MANIFEST, verb)


def require_unaltered(
    directory: Path, verb: str, parts: str, only: Collection[str] = (), remedy: str = ""
) -> None:
    """Check that the result of an earlier step is as the step wrote it; files for people do not count.

    Args:
        directory: the folder of the result.
        verb: the verb that wrote it.
        parts: name pattern of the files of a table. A reader of a table takes all files with this suffix in
            its folder, so a file that the step did not write is an error; "" for results without tables.
        only: names of the files that are read; none: all.
        remedy: what to do, if the verb cannot make the same result again.

    Raises:
        ArtifactError: a file is missing, altered, or was added to the folder of a table; names the first one
            and what to do.
    """
    manifest = require_manifest(directory, verb)
    if only:
        read = {name: digest for name, digest in manifest["sha256"].items() if name in only}
        manifest = {**manifest, "sha256": read}
    for what in _alterations(directory, manifest, parts):
        raise ArtifactError(f"{what}: {remedy or f'run `m2trec {verb} --force` to make it anew'}")


def _alterations(directory: Path, manifest: dict[str, Any], parts: str) -> Iterator[str]:
    """Describe each change since the manifest was written to files that later steps read."""
    written = _read_by_others(manifest)
    # Only folders with parts of a table count: an unfinished training keeps files in folders of its own.
    tables = {directory / Path(name).parent for name in written if parts and Path(name).match(parts)}
    kind = f"*{Path(parts).suffix}"
    read = {str(path.relative_to(directory)) for table in tables for path in table.glob(kind)}
    for name in [*written, *sorted(read - written.keys())]:
        path = directory / name
        if name not in written:
            yield f"{path} was added"
        elif not path.is_file():
            yield f"{path} is missing"
        elif digest_of(path) != written[name]:
            yield f"{path} is altered"


def _read_by_others(manifest: dict[str, Any]) -> dict[str, str]:
    """Return the digests of the files that later steps read."""
    return {name: digest for name, digest in manifest["sha256"].items() if Path(name).suffix not in _PAGES}


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file, computed again only if its size or time of change differs."""
    return _digest_of(path, path.stat().st_size, path.stat().st_mtime_ns)


@lru_cache(maxsize=10_000)
def _digest_of(path: Path, size: int, changed: int) -> str:
    return sha256(path)


def _read_manifest(path: Path, verb: str) -> dict[str, Any]:
    manifest = read_json(path, verb)
    with reading(path, verb):
        return {**manifest, **{name: manifest[name] for name in ("step", "inputs", "settings", "sha256")}}


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
