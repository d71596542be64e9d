"""Processes that work on one run at once: none writes what another one writes or reads."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from m2trec_merlin.artifacts import recover
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
    try:
        file = _locked(path, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
    except BlockingIOError:
        raise ArtifactError(
            f"another process is at work on {folder}: run this again when it has ended"
        ) from None
    try:
        if file is not None and not shared:
            recover(folder)
        yield
    finally:
        if file is not None:
            # Who holds it alone takes the file away; others may still read.
            with suppress(OSError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()
            os.close(file)


def _locked(path: Path, kind: int) -> int | None:
    """Return the descriptor of a locked file; None where there can be no locks.

    Raises:
        BlockingIOError: another process holds it.
    """
    while True:
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError:
            return None
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
        except OSError as error:
            os.close(file)
            if isinstance(error, BlockingIOError):
                raise
            return None
        with suppress(FileNotFoundError):
            if path.stat().st_ino == os.fstat(file).st_ino:
                return file
        # Its last holder took it away in the meantime.
        os.close(file)
