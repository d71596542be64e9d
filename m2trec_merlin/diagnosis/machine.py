"""Checks of Python, processor and disk."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from pathlib import Path

from m2trec_merlin.config import Config
from m2trec_merlin.diagnosis.findings import Finding, State, ready
from m2trec_merlin.runs import VERBS, Run

#: First and last Python version that the package is made for.
PYTHONS = ((3, 10), (3, 12))
#: Below this much free space a first run may not fit.
_LITTLE = 1 << 30


def check_python(config: Config | None) -> Finding:
    """Check that this Python is one of those that the package is made for."""
    found = f"{platform.python_version()} in {sys.prefix}"
    first, last = PYTHONS
    if first <= sys.version_info[:2] <= last:
        return ready(found)
    accepted = " to ".join(".".join(map(str, version)) for version in PYTHONS)
    return Finding(
        State.BLOCKED,
        found,
        "the Merlin packages are not made for it",
        f"make an environment with {accepted}",
    )


def check_processor(config: Config | None) -> Finding:
    """Check that there is a Triton for this system and processor, and count the usable cores."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    found = f"{cores} cores of {platform.machine()}"
    if (platform.system(), platform.machine()) in (("Linux", "x86_64"), ("Linux", "aarch64")):
        return ready(found)
    return Finding(
        State.BLOCKED,
        f"{found}, {platform.system()}",
        "`m2trec serve`: Triton comes for Linux on x86-64 and arm64 only",
        "serve the exported repository in NVIDIA's container (docker/)",
    )


def check_disk(config: Config | None) -> Finding:
    """Check that new results can be written, and that they fit beside those that they replace."""
    folder = (Path() if config is None else config.directory).absolute()
    place = next(path for path in (folder, *folder.parents) if path.is_dir())
    free = shutil.disk_usage(place).free
    found = f"{size(free)} free for {folder}"
    if not os.access(place, os.W_OK):
        return Finding(
            State.BLOCKED, f"{place} may not be written to", "no verb can keep a result", "set `work_dir`"
        )
    largest = 0 if config is None else max(size_of(Run(config).step(verb).folder) for verb in VERBS)
    if free < largest:
        return Finding(
            State.BLOCKED,
            found,
            f"the largest result there has {size(largest)}, and is kept until a new one is complete",
            "make room, or set `work_dir`",
        )
    if free < _LITTLE:
        return Finding(
            State.LIMITED, found, "a result that does not fit is given up; what was there stays", "make room"
        )
    return ready(found)


def size(count: int) -> str:
    """Return a number of bytes for people, in MiB or GiB."""
    return f"{count / (1 << 30):.1f} GiB" if count >= 1 << 30 else f"{count / (1 << 20):.0f} MiB"


def size_of(folder: Path) -> int:
    """Return the total size in bytes of the files in and below a folder; 0 if it is not there."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
