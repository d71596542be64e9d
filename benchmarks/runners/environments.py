"""Virtual environments of the other libraries, made on demand beside their requirements."""

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
    """Return the Python of an environment; makes it if it is not there or its requirements changed.

    Args:
        name: of `requirements-NAME.txt`; None stands for the environment that runs this.

    Raises:
        RuntimeError: it cannot be made; the message holds what the installer said.
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
    """Hand uv the folder of local wheels where pip is told of one, since uv does not read pip's settings."""
    if "UV_FIND_LINKS" in os.environ:
        return {}
    asked = [sys.executable, "-m", "pip", "config", "get", "global.find-links"]
    links = subprocess.run(asked, capture_output=True, text=True).stdout.strip()
    return {"UV_FIND_LINKS": links} if links else {}
