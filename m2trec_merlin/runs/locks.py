"""Locks on the folders of a run, so that no process writes what another one writes or reads."""

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
    """Lock a folder within the block: exclusively, or shared with other processes that only read it.

    The lock is the operating system's, on a file beside the folder, so it ends with the process. If no such
    file can be made (on a read-only disk, or a file system without locks), there is no lock.

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
            # Remove the file only if the lock can be made exclusive; other processes may still read.
            with suppress(OSError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()
            os.close(file)


def _locked(path: Path, kind: int) -> int | None:
    """Lock a file and return its descriptor; None if there can be no locks.

    Raises:
        BlockingIOError: another process holds the lock.
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
        # The last holder removed the file in the meantime.
        os.close(file)
