"""The genuine Triton server inside the package nvidia-pytriton, laid out so that it runs on its own.

Triton starts the worker of each model with a shell command in which it quotes nothing, so blanks, quotes or
dollar signs in a path break the command. The Python in the workers reads every path as ASCII, whatever the
locale. So the workers only see links in one folder with a plain path.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from m2trec_merlin.errors import MissingDependencyError, ServerError
from m2trec_merlin.serving.server.workers_python import lay_out_python

_INSTALL = "pip install 'm2trec-merlin[serve]'"
_PLAIN = re.compile(r"[A-Za-z0-9_./-]+")


@dataclass(frozen=True)
class TritonFolder:
    """Paths and environment to start Triton with.

    Attributes:
        binary: path of the server's program.
        backends: folder of backends, for `--backend-directory`.
        caches: folder of response caches, for `--cache-directory`.
        environment: environment variables of the server.
    """

    binary: Path
    backends: Path
    caches: Path
    environment: dict[str, str]


def make_plain_folder() -> tempfile.TemporaryDirectory[str]:
    """Make a temporary folder whose path every shell reads as one word.

    Raises:
        ServerError: there is no place for such a folder; names the places that were tried.
    """
    wanted = os.environ.get("TMPDIR")
    places = [*([str(Path(wanted).absolute())] if wanted else []), "/tmp", "/var/tmp", "/dev/shm"]
    for place in filter(_PLAIN.fullmatch, places):
        try:
            return tempfile.TemporaryDirectory(prefix="m2trec-triton-", dir=place)
        except OSError:
            continue
    raise ServerError(
        "Triton needs a folder for temporary files that can be written to, with nothing but ASCII letters, "
        f"digits and - _ . / in its path; tried {', '.join(places)}. Set TMPDIR to such a folder"
    )


def assemble_triton(target: Path) -> TritonFolder:
    """Lay the server out in the empty folder `target`, by links to the installed packages and to Python.

    Raises:
        MissingDependencyError: the package, its part for this version of Python, or a system library
            is missing. Without a system library, Triton itself would wait for ever.
    """
    package = _package_folder()
    source = package / "tritonserver"
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    stub = source / "python_backend_stubs" / version / "triton_python_backend_stub"
    binary = source / "bin" / "tritonserver"
    if not binary.is_file():
        raise MissingDependencyError(
            f"nvidia-pytriton is installed without a Triton server in it (no {binary}): it has one on Linux "
            "x86-64 and arm64 only. Elsewhere, serve the repository in NVIDIA's container (docker/)"
        )
    if not stub.is_file():
        offered = ", ".join(sorted(p.name for p in stub.parent.parent.iterdir()))
        raise MissingDependencyError(
            f"nvidia-pytriton serves no Python {version} models; it has {offered}. Use one of those Pythons"
        )
    environment = _environment(target, package.parent / "nvidia_pytriton.libs")
    environment["PATH"] = _join(str(lay_out_python(target / "python")), environment.get("PATH"))
    _require_libraries(binary, environment, version)
    _require_libraries(stub, environment, version)

    backend = target / "backends" / "python"
    backend.mkdir(parents=True)
    for file in (*(source / "backends" / "python").iterdir(), stub):
        (backend / file.name).symlink_to(file)
    (target / "tritonserver").symlink_to(source)
    binary, caches = target / "tritonserver" / "bin" / binary.name, target / "tritonserver" / "caches"
    return TritonFolder(binary, backend.parent, caches, environment)


def missing_libraries(program: Path, environment: dict[str, str]) -> list[str]:
    """Return the shared libraries that a program needs but the dynamic linker cannot find."""
    listing = subprocess.run(["ldd", str(program)], env=environment, capture_output=True, text=True)
    lines = listing.stdout.splitlines()
    return [line.split("=>")[0].strip() for line in lines if line.endswith("=> not found")]


def _package_folder() -> Path:
    spec = find_spec("pytriton")
    if spec is None or spec.origin is None:
        raise MissingDependencyError(f"nvidia-pytriton, which carries Triton, is not installed: {_INSTALL}")
    return Path(spec.origin).parent


def _environment(target: Path, libraries: Path) -> dict[str, str]:
    environment = dict(os.environ)
    for name in ("PYTHONHOME", "PYTHONPATH"):
        environment.pop(name, None)
    environment["TMPDIR"] = str(target)
    environment["LD_LIBRARY_PATH"] = _join(
        str(libraries), sysconfig.get_config_var("LIBDIR"), environment.get("LD_LIBRARY_PATH")
    )
    return environment


def _join(*folders: str | None) -> str:
    return os.pathsep.join(folder for folder in folders if folder)


def _require_libraries(program: Path, environment: dict[str, str], version: str) -> None:
    missing = missing_libraries(program, environment)
    if not missing:
        return
    hint = "install the packages of your system that provide them"
    if any(name.startswith("libpython") for name in missing):
        hint = (
            f"on Debian and Ubuntu: apt-get install libpython{version}; or use a Python that was built "
            "with --enable-shared"
        )
    raise MissingDependencyError(f"Triton needs {', '.join(missing)}, which this system lacks: {hint}")
