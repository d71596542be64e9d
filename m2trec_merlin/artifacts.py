"""Write results atomically, with a manifest that says what they are made of.

A step writes into a temporary folder beside its target and renames it when it is complete,
so that whoever finds the target finds all of it.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from m2trec_merlin.errors import ArtifactError

MANIFEST = "manifest.json"
_PACKAGES = (
    "m2trec-merlin",
    "torch",
    "nvtabular",
    "transformers4rec",
    "merlin-dataloader",
    "numpy",
    "pandas",
)


@contextmanager
def atomic_directory(target: Path) -> Iterator[Path]:
    """Yield a temporary folder that becomes `target` when the block ends without an error.

    An earlier `target` is replaced; on an error it stays untouched and the temporary folder is removed.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.parent / f".{target.name}.{os.getpid()}.tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    try:
        yield temporary
        retired = target.parent / f".{target.name}.{os.getpid()}.old"
        if target.exists():
            target.rename(retired)
        temporary.rename(target)
        shutil.rmtree(retired, ignore_errors=True)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def atomic_write(path: Path, content: str | bytes) -> None:
    """Write a file so that a reader sees the old content or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    data = content.encode() if isinstance(content, str) else content
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def read_json(path: Path) -> Any:
    """Read a JSON file that an earlier step wrote.

    Raises:
        ArtifactError: the file is missing or is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ArtifactError(f"{path} is missing: run the step that writes it first") from None
    except json.JSONDecodeError as error:
        raise ArtifactError(
            f"{path} is damaged ({error}): remove its folder and run the step again"
        ) from None


def fingerprint(content: Any) -> str:
    """Return a short hash of anything that JSON can hold; equal content, equal hash."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:16]


def write_manifest(
    directory: Path, step: str, inputs: dict[str, Any], *, beside: Collection[str] = (), **facts: Any
) -> None:
    """Write `manifest.json` into a finished folder.

    Args:
        directory: the folder of artifacts.
        step: the verb that wrote them.
        inputs: everything the result depends on; `is_current` compares it.
        beside: folders in it that are no part of the result.
        facts: whatever else a reader wants to know (counts, metrics, seconds).
    """
    files = sorted(
        path
        for path in directory.rglob("*")
        if path.is_file() and path.name != MANIFEST and path.relative_to(directory).parts[0] not in beside
    )
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


def is_current(directory: Path, inputs: dict[str, Any]) -> bool:
    """Tell whether `directory` was completed from exactly these inputs."""
    path = directory / MANIFEST
    return path.is_file() and read_json(path).get("inputs") == fingerprint(inputs)


def require_manifest(directory: Path, verb: str) -> dict[str, Any]:
    """Return the manifest of an earlier step.

    Raises:
        ArtifactError: that step has not run; the message names the verb to run.
    """
    if not (directory / MANIFEST).is_file():
        raise ArtifactError(f"{directory} is not there yet: run `m2trec {verb}` first")
    manifest: dict[str, Any] = read_json(directory / MANIFEST)
    return manifest


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
