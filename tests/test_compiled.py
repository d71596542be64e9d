"""Functions that numba compiles."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from m2trec_merlin.compiled import compiled

MODULE = """
import numpy as np
from m2trec_merlin.compiled import compiled

@compiled
def total(numbers):
    found = 0.0
    for number in numbers:
        found += number
    return found
"""

RUN = "import sys; sys.path.insert(0, sys.argv[1]); import sums, numpy; print(sums.total(numpy.arange(4.0)))"


@compiled
def halves(numbers: np.ndarray) -> np.ndarray:
    """Return half of each."""
    found = np.empty(len(numbers))
    for place in range(len(numbers)):
        found[place] = numbers[place] / 2
    return found


@pytest.mark.parametrize("kind", [np.int64, np.float32, np.float64])
def test_numbers_of_any_type_are_taken(kind: type) -> None:
    assert halves(np.array([2, 4], kind)).tolist() == [1, 2]
    assert halves.__name__ == "halves" and halves.__doc__ == "Return half of each."


def test_numba_is_not_imported_before_the_first_call() -> None:
    code = "import sys, m2trec_merlin.neighbours.mixture; assert 'numba' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("may_write", [True, False])
def test_code_is_kept_where_that_can_be(tmp_path: Path, may_write: bool) -> None:
    (tmp_path / "sums.py").write_text(MODULE)
    # A file in the place of each folder that a cache could be in.
    if not may_write:
        (tmp_path / "__pycache__").touch()
        (tmp_path / "home").touch()
    command = [sys.executable, "-B", "-c", RUN, str(tmp_path)]
    done = subprocess.run(command, env=environment(tmp_path), capture_output=True, text=True)
    assert done.stdout == "6.0\n", done.stderr
    assert bool(list(tmp_path.glob("__pycache__/sums.*.nbi"))) == may_write


@pytest.fixture(scope="module")
def cached(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a module and what was compiled of it."""
    folder = tmp_path_factory.mktemp("cached")
    (folder / "sums.py").write_text(MODULE)
    command = [sys.executable, "-B", "-c", RUN, str(folder)]
    subprocess.run(command, env=environment(folder), check=True, capture_output=True)
    return folder


def environment(folder: Path) -> dict[str, str]:
    return {"PATH": "", "HOME": str(folder / "home"), "PYTHONPATH": str(Path.cwd())}


@pytest.mark.parametrize("damage", [b"", b"no pickle", None], ids=["cut off", "other bytes", "unreadable"])
@pytest.mark.parametrize("kind", ["nbi", "nbc"])
def test_what_a_crash_left_of_the_cache_is_made_anew(
    cached: Path, tmp_path: Path, kind: str, damage: bytes | None
) -> None:
    shutil.copytree(cached, tmp_path, dirs_exist_ok=True)
    command = [sys.executable, "-B", "-c", RUN, str(tmp_path)]
    [file] = tmp_path.glob(f"__pycache__/sums.*.{kind}")
    if damage is None:
        file.unlink()
        file.mkdir()
    else:
        file.write_bytes(damage)
    for _ in range(2):
        done = subprocess.run(command, env=environment(tmp_path), capture_output=True, text=True)
        assert done.stdout == "6.0\n", done.stderr
    if damage is not None:
        healed = [each.stat().st_size for each in tmp_path.glob("__pycache__/sums.*.nb[ci]")]
        assert min(healed) > 100, "what was damaged is kept again"
