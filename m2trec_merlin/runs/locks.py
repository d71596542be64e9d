"""Processes that work on one run at once: none writes what another one writes or reads."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from m2trec_merlin.errors import ArtifactError


@contextmanager
def lock(folder: Path, *, shared: bool = False) -> Iterator[None]:
    """Hold a folder for the length of the block: alone, or together with others that only read it.

    The lock is the operating system's, on a file beside the folder, so it ends with the process. Where no
    such file can be made (a read-only disk, a file system without locks) there is none.

    Raises:
        ArtifactError: another process holds the folder.
    """
    path = folder.with_name(f".{folder.name}.lock")
    file: int | None
    try:
        file = _locked(path, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
    except BlockingIOError:
        raise ArtifactError(
            f"another process is at work on {folder}: run this again when it has ended"
        ) from None
    except OSError:
        file = None
    try:
        if file is not None and not shared:
            _remove_remains(folder)
        yield
    finally:
        if file is not None:
            # Who holds it alone takes the file away; others may still read.
            with suppress(OSError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()
            os.close(file)


def _locked(path: Path, kind: int) -> int:
    """Return the descriptor of a locked file."""
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
            if path.exists() and path.stat().st_ino == os.fstat(file).st_ino:
                return file
        except OSError:
            os.close(file)
            raise
        # Its last holder took it away in the meantime.
        os.close(file)


def _remove_remains(folder: Path) -> None:
    """Remove what `atomic_directory` left when it was killed."""
    for path in folder.parent.iterdir():
        if path.name.startswith(f".{folder.name}.") and path.suffix in (".tmp", ".old"):
            shutil.rmtree(path, ignore_errors=True)
