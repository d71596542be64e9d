from __future__ import annotations

import errno
import importlib
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from m2trec_merlin.errors import MissingDependencyError, ServerError
from m2trec_merlin.serving.server import triton_folder
from m2trec_merlin.serving.server.triton_folder import assemble_triton, make_plain_folder, missing_libraries

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
    """Though it looks at no variables, as the stub runs it."""
    monkeypatch.setenv("PYTHONHOME", "/somewhere/else")
    monkeypatch.setenv("PYTHONPATH", "/somewhere/else")
    ours = tmp_path / "Käse und Wein"
    ours.mkdir()
    (ours / "of_our_own.py").write_text("")
    monkeypatch.syspath_prepend(ours)
    target = tmp_path / "plain"
    target.mkdir()
    environment = assemble_triton(target).environment
    assert not environment.keys() & {"PYTHONHOME", "PYTHONPATH"}
    assert environment["PATH"].split(":")[0] == str(target / "python" / "bin")
    names = ["m2trec_merlin", "m2trec_merlin.workflows", "of_our_own", "numpy", "pytest", "json"]
    code = f"""
import sys, importlib
print(sys.prefix, sys.version)
for name in {names}:
    print(importlib.import_module(name).__file__)
"""
    run = ["python3", "-I", "-c", code]
    done = subprocess.run(run, env=environment, capture_output=True, text=True, cwd="/", check=True)
    first, *found = done.stdout.splitlines()
    assert first == f"{target / 'python'} {sys.version}".splitlines()[0]
    found = [line for line in found if line.startswith("/")]
    for name, file in zip(names, found, strict=True):
        assert Path(file).samefile(str(importlib.import_module(name).__file__)), name
    # Python 3.10 follows the links to its standard library.
    reached = found if sys.version_info >= (3, 11) else found[:-1]
    assert all(Path(file).is_relative_to(target) for file in reached)
    assert Path(found[0]).is_relative_to(target / "python" / "lib"), "whatever else is called so"


@pytest.mark.parametrize("name", ["two words", "Käse", "'quoted'", "$HOME", "a;b", "(1)", "店"])
def test_the_folder_is_plain_wherever_temporary_files_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / name).mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / name))
    with make_plain_folder() as folder:
        assert shlex.split(folder) == [folder] and folder.isascii() and str(tmp_path) not in folder
        triton = assemble_triton(Path(folder))
        seen = [triton.binary, triton.backends, triton.caches, triton.environment["TMPDIR"]]
        assert all(Path(path).is_relative_to(folder) and Path(path).exists() for path in seen)


def test_temporary_files_stay_where_they_are_wanted_if_that_is_plain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with make_plain_folder() as folder:
        assert Path(folder).parent == tmp_path


def test_no_plain_folder_is_one_error_that_names_where_it_was_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(**options: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setenv("TMPDIR", str(tmp_path / "two words"))
    monkeypatch.setattr(tempfile, "TemporaryDirectory", full)
    with pytest.raises(ServerError, match=r"tried .*two words, /tmp, .*Set TMPDIR"):
        make_plain_folder()


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
