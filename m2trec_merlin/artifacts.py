"""Write results atomically.

A step writes into a temporary folder beside its target and renames it when it is complete,
so the target is either complete or not there.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from m2trec_merlin.errors import ArtifactError, file_of, reason_of

MANIFEST = "manifest.json"
#: Name suffixes of a folder that is being written, and of the earlier folder that it replaces.
_NEW, _RETIRED = ".tmp", ".old"
#: Error codes of the operating system for a place where nothing can be written.
_OF_THE_DISK = {
    *(errno.EACCES, errno.EDQUOT, errno.EEXIST, errno.EFBIG, errno.EIO, errno.EISDIR, errno.ELOOP),
    *(errno.ENAMETOOLONG, errno.ENOSPC, errno.ENOTDIR, errno.EPERM, errno.EROFS),
}


@contextmanager
def writing(target: Path) -> Iterator[None]:
    """Raise an error that names `target` if the operating system refuses to let the block write it.

    Raises:
        ArtifactError: the disk is full, the place is read-only or no folder, its name is too long, and so on.
    """
    try:
        yield
    except Exception as error:
        if (reason := _refusal(error, target)) is None:
            raise
        raise ArtifactError(
            f"cannot write to {target}: {reason}; `work_dir` says where the results of a run go"
        ) from error


@contextmanager
def reading(path: Path, verb: str = "", remedy: str = "make it again") -> Iterator[None]:
    """Raise an error that names `path` and a remedy if the block cannot read it.

    Args:
        path: what the block reads.
        verb: the verb that writes it, or "".
        remedy: what to do if no verb writes it.

    Raises:
        ArtifactError: the file is missing, may not be read, or does not hold what it should.
    """
    remedy = f"run `{command_of(verb)}`" if verb else remedy
    try:
        yield
    except FileNotFoundError:
        raise ArtifactError(f"{path} is missing: {remedy}") from None
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read ({reason_of(error)}): {remedy}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise ArtifactError(f"{path} is damaged ({error}): {remedy}") from error


def command_of(verb: str) -> str:
    """Return the command that replaces what a verb wrote; `catalog rollback` returns to what was before."""
    return f"m2trec {verb}" if verb.startswith("catalog ") else f"m2trec {verb} --force"


@contextmanager
def atomic_directory(target: Path) -> Iterator[Path]:
    """Yield a temporary folder that becomes `target` when the block ends without an error.

    An earlier `target` is replaced (if it is a link, the folder behind it). On an error, the earlier one
    stays untouched and the temporary one is removed.

    Raises:
        ArtifactError: nothing can be written there.
    """
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        if os.path.lexists(target) and not target.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, "", str(target))
        real = Path(os.path.realpath(target))
        temporary, retired = (real.with_name(f".{real.name}.{os.getpid()}{end}") for end in (_NEW, _RETIRED))
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        try:
            yield temporary
            if real.exists():
                real.rename(retired)
            temporary.rename(real)
        finally:
            if not real.exists() and retired.exists():
                retired.rename(real)
            for path in (temporary, retired):
                shutil.rmtree(path, ignore_errors=True)


def recover(target: Path) -> None:
    """Clean up after an `atomic_directory` that was killed; no process may be writing `target` now.

    Temporary folders are removed. If the process was killed between moving the earlier folder away and
    moving the new one in, the earlier one is put back.
    """
    real = Path(os.path.realpath(target))
    left = [path for path in real.parent.iterdir() if path.name.startswith(f".{real.name}.")]
    retired = [path for path in left if path.suffix == _RETIRED]
    if retired and not os.path.lexists(real):
        max(retired, key=lambda path: path.stat().st_ctime).rename(real)
    for path in left:
        if path.suffix in (_NEW, _RETIRED):
            shutil.rmtree(path, ignore_errors=True)


@contextmanager
def atomic_files(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder whose files replace those of `folder` when the block ends without an error.

    Other files in `folder` stay. The old manifest is removed first and the new one written last, so that a
    mixture of two results never has a manifest.

    Raises:
        ArtifactError: nothing can be written there.
    """
    with writing(folder):
        temporary = folder / ".new"
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        try:
            yield temporary
            (folder / MANIFEST).unlink(missing_ok=True)
            for path in sorted(temporary.iterdir(), key=lambda path: path.name == MANIFEST):
                path.replace(folder / path.name)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def atomic_write(path: Path, content: str | bytes) -> None:
    """Write a file so that a reader sees either the old content or the new, never a part.

    Raises:
        ArtifactError: the file cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    data = content.encode() if isinstance(content, str) else content
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def read_json(path: Path, verb: str = "") -> Any:
    """Read a JSON file that a verb wrote.

    Raises:
        ArtifactError: the file is missing or is not JSON.
    """
    with reading(path, verb):
        return json.loads(path.read_text(encoding="utf-8"))


def fingerprint(content: Any) -> str:
    """Return a short hash of anything that JSON can hold; equal content has an equal hash."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:16]


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _refusal(error: BaseException, target: Path) -> str | None:
    """Return why the operating system does not let `target` be written; None for any other error."""
    while isinstance(error, ArtifactError) and error.__cause__ is not None:
        error = error.__cause__
    if code := re.search(r"\(os error (\d+)\)", str(error)):
        # The wording of libraries written in Rust, such as safetensors and tokenizers.
        error = OSError(int(code[1]), "")
    elif isinstance(error, OSError) and re.fullmatch(r"\d+ requested and \d+ written", str(error)):
        return "the disk took only a part of it"  # NumPy's wording of a full disk
    if isinstance(error, UnicodeEncodeError) and not _is_utf8(Path(os.path.realpath(target))):
        return "its path is not UTF-8, as libraries want it"
    if not isinstance(error, OSError):
        return None
    above = (place for place in (*reversed(target.parents), target) if os.path.lexists(place))
    no_folder = next((place for place in above if not _is_folder(place)), None)
    if no_folder and error.errno in (errno.ENOTDIR, errno.EEXIST):
        return f"{no_folder} is {'a link to nothing' if no_folder.is_symlink() else 'no folder'}"
    file = file_of(error)
    real, place = Path(os.path.realpath(target)), Path(os.path.realpath(file or target))
    missing_above = error.errno == errno.ENOENT and file and real.is_relative_to(place)
    on_the_way = place.is_relative_to(real.parent) or real.is_relative_to(place)
    if missing_above or (error.errno in _OF_THE_DISK and on_the_way):
        return reason_of(error)
    return None  # an error of something else that the block does


def _is_utf8(path: Path) -> bool:
    return os.fsencode(path).decode(errors="ignore") == str(path)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False
