"""The run that is served, by a link in the folder of runs that always leads to a whole one."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from m2trec_merlin.artifacts import writing
from m2trec_merlin.errors import ArtifactError
from m2trec_merlin.runs.locks import lock

#: Name of the link.
CURRENT = "current"


def link_over(run: Path) -> Path:
    """Return the link that leads to a run: itself if it is one, or else `current` beside it.

    Raises:
        ArtifactError: something else is in its place, or it leads to another run.
    """
    if run.is_symlink():
        return run
    link = run.parent / CURRENT
    if os.path.lexists(link):
        if not link.is_symlink():
            raise ArtifactError(f"{link} is no link, and stands where the one to the current run belongs")
        if link.resolve() != run.resolve():
            raise ArtifactError(f"{link} leads to {link.resolve()}, not to {run}: compare with {link} itself")
    return link


def lead_to(link: Path, run: Path) -> None:
    """Make a link lead to a run, at once: whoever follows it finds the old one or the new one.

    The link is relative, so that the folder of runs can be moved or mounted elsewhere.

    Raises:
        ArtifactError: it cannot be written, or another process is changing it.
    """
    with writing(link), lock(link):
        temporary = link.with_name(f".{link.name}.{os.getpid()}.link")
        with suppress(FileNotFoundError):
            temporary.unlink()
        temporary.symlink_to(os.path.relpath(run.resolve(), link.parent.resolve()))
        temporary.replace(link)
