"""The link `current` in the folder of runs, which leads to the run that is served."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from m2trec_merlin.artifacts import writing
from m2trec_merlin.errors import ArtifactError
from m2trec_merlin.runs.folder import RunFolder
from m2trec_merlin.runs.locks import lock

#: Name of the link.
CURRENT = "current"


def link_beside(run: RunFolder) -> Path:
    """Return where the link lies that may lead to a run or to one of its variants."""
    return run.directory.parent / CURRENT


def link_over(run: Path) -> Path:
    """Return the link for a run: the path itself if it is a link, or else the one of `link_beside`.

    Raises:
        ArtifactError: `current` is not a link, or leads to another run.
    """
    if run.is_symlink():
        return run
    link = link_beside(RunFolder.at(run))
    if os.path.lexists(link):
        if not link.is_symlink():
            raise ArtifactError(f"{link} is no link, and stands where the one to the current run belongs")
        if link.resolve() != run.resolve():
            raise ArtifactError(f"{link} leads to {link.resolve()}, not to {run}: compare with {link} itself")
    return link


def lead_to(link: Path, run: Path) -> None:
    """Point a link to a run atomically: it always leads to the old run or the new one.

    The link is relative, so that the folder of runs can be moved or mounted elsewhere.

    Raises:
        ArtifactError: the link cannot be written, or another process is changing it.
    """
    with writing(link), lock(link):
        temporary = link.with_name(f".{link.name}.{os.getpid()}.link")
        with suppress(FileNotFoundError):
            temporary.unlink()
        temporary.symlink_to(os.path.relpath(run.resolve(), link.parent.resolve()))
        temporary.replace(link)
