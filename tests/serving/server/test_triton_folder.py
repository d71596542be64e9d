from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from m2trec_merlin.errors import MissingDependencyError
from m2trec_merlin.serving.server import triton_folder
from m2trec_merlin.serving.server.triton_folder import assemble_triton, missing_libraries

LISTING = """\
    linux-vdso.so.1 (0x00007f3f8a98a000)
    libpython3.11.so.1.0 => not found
    libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f)
"""


def test_the_assembled_server_runs(tmp_path: Path) -> None:
    triton = assemble_triton(tmp_path)
    done = subprocess.run([triton.binary, "--help"], env=triton.environment, capture_output=True, text=True)
    assert "Usage: tritonserver" in done.stdout + done.stderr
    backend = triton.backends / "python"
    for name in ("libtriton_python.so", "triton_python_backend_stub", "triton_python_backend_utils.py"):
        assert (backend / name).is_file()


def test_python_of_the_models_is_the_one_that_runs_us(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONHOME", "/somewhere/else")
    monkeypatch.setenv("PYTHONPATH", "/somewhere/else")
    environment = assemble_triton(tmp_path).environment
    assert environment["PATH"].split(":")[0] == str(Path(sys.prefix) / "bin")
    assert not {"PYTHONHOME", "PYTHONPATH"} & environment.keys()


def test_libraries_that_the_linker_does_not_find(tmp_path: Path) -> None:
    linker = tmp_path / "ldd"
    linker.write_text(f"#!/bin/sh\n/bin/cat <<END\n{LISTING}END\n")
    linker.chmod(0o755)
    assert missing_libraries(Path("stub"), {"PATH": str(tmp_path)}) == ["libpython3.11.so.1.0"]


def test_a_missing_libpython_is_explained_before_triton_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_libpython(program: Path, environment: dict[str, str]) -> list[str]:
        return ["libpython3.11.so.1.0"] if program.name.endswith("stub") else []

    monkeypatch.setattr(triton_folder, "missing_libraries", without_libpython)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    with pytest.raises(MissingDependencyError, match=f"apt-get install libpython{version}"):
        assemble_triton(tmp_path)


def test_a_missing_package_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triton_folder, "find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'm2trec-merlin\[serve\]'"):
        assemble_triton(tmp_path)


def test_a_python_that_triton_cannot_run_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(triton_folder.sys, "version_info", type("Version", (), {"major": 3, "minor": 99}))
    with pytest.raises(MissingDependencyError, match=r"no Python 3\.99 models; it has .*3\.11"):
        assemble_triton(tmp_path)
