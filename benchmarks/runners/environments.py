"""Virtual environments of the other libraries, created on demand beside their requirements."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "environments"
_STAMP = ".installed"


def python_of(name: str | None) -> Path:
    """Return the Python of an environment, which is created if it is missing or its requirements changed.

    Args:
        name: NAME in `requirements-NAME.txt`; None for the current environment.

    Raises:
        RuntimeError: the environment cannot be created; the message contains the installer's.
    """
    if name is None:
        return Path(sys.executable)
    requirements, folder = FOLDER / f"requirements-{name}.txt", FOLDER / name
    python, stamp = folder / "bin" / "python", folder / _STAMP
    wanted = hashlib.sha256(requirements.read_bytes()).hexdigest()
    if not (python.exists() and stamp.is_file() and stamp.read_text() == wanted):
        shutil.rmtree(folder, ignore_errors=True)
        _uv("venv", "--quiet", "--python", sys.executable, str(folder))
        _uv("pip", "install", "--quiet", "--python", str(python), "--requirement", str(requirements))
        stamp.write_text(wanted)
    return python


def _uv(*arguments: str) -> None:
    done = subprocess.run(
        [_find_uv(), *arguments], capture_output=True, text=True, env=os.environ | _local_wheels()
    )
    if done.returncode:
        raise RuntimeError(f"uv {' '.join(arguments)} failed:\n{done.stderr.strip()}")


def _find_uv() -> str:
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.exists() else shutil.which("uv")
    if found is None:
        raise RuntimeError("uv is needed to set up the other libraries: pip install uv")
    return found


def _local_wheels() -> dict[str, str]:
    """Pass pip's configured folder of local wheels to uv, which does not read pip's settings."""
    if "UV_FIND_LINKS" in os.environ:
        return {}
    asked = [sys.executable, "-m", "pip", "config", "get", "global.find-links"]
    links = subprocess.run(asked, capture_output=True, text=True).stdout.strip()
    return {"UV_FIND_LINKS": links} if links else {}
