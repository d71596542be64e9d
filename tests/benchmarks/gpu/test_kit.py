"""What is carried to the machine: packages without ballast, and runs without their raw data."""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from benchmarks.gpu.kit import COPIED, REQUIREMENTS, copy_installed, strip
from benchmarks.gpu.runs import _TINY, read_run, write_run
from benchmarks.gpu.step import Step
from m2trec_merlin.config import Config
from tests.benchmarks.gpu.test_fatbin import binary, entry
from tests.docker.test_docker_files import project_tools


def test_packages_lose_headers_tests_and_code_of_other_gpus(tmp_path: Path) -> None:
    site = tmp_path / "site"
    for name in (
        "libcudf/include/a.hpp",
        "pandas/tests/a.py",
        "cupy/_core/include/a.cuh",
        "pandas/core.py",
        "a/b.pyx",
    ):
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text("x")
    library = b"\0" * (1 << 20) + binary(entry(80, b"a" * 100), entry(90, b"b" * 10))
    (site / "libcudf" / "lib.so").write_bytes(library)
    assert strip(site, 90) == 100
    left = sorted(str(path.relative_to(site)) for path in site.rglob("*") if path.is_file())
    # CuPy compiles against its own headers.
    assert left == ["cupy/_core/include/a.cuh", "libcudf/lib.so", "pandas/core.py"]
    assert len((site / "libcudf" / "lib.so").read_bytes()) == len(library)


def test_versions_are_those_of_the_project() -> None:
    pinned = dict(re.findall(r"^([\w.-]+)==(\S+)$", REQUIREMENTS.read_text(), re.MULTILINE))
    for line in project_tools()["uv"]["override-dependencies"]:
        wanted = Requirement(line)
        assert wanted.name not in pinned or pinned[wanted.name] in wanted.specifier, line
    assert {"transformers4rec", "cudf-cu13", "libcudf-cu13", "cupy-cuda13x"} <= pinned.keys()
    # The machine's own fits its driver.
    assert "torch" not in pinned


#: Of what the packages need, what whoever has a torch has, too; see the head of the requirements.
OF_THE_MACHINE = {
    *("click", "filelock", "fsspec", "hf-xet", "jinja2", "packaging", "psutil", "python-dateutil", "pyyaml"),
    *("regex", "requests", "safetensors", "torchmetrics", "tqdm", "typing-extensions", "urllib3"),
}
MARKERS = {"python_version": "3.12", "python_full_version": "3.12.3", "extra": ""}


def test_what_the_packages_need_is_carried_too() -> None:
    """As those say that are installed here: cuDF, which is not, is left out."""
    pinned = {canonicalize_name(name) for name in re.findall(r"^([\w.-]+)==", REQUIREMENTS.read_text(), re.M)}
    needed = set()
    for name in [*pinned, *COPIED]:
        try:
            lines = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        needs = map(Requirement, lines)
        needed |= {
            canonicalize_name(need.name) for need in needs if not need.marker or need.marker.evaluate(MARKERS)
        }
    assert {"numba", "numpy"} <= needed
    assert needed - pinned == OF_THE_MACHINE


def test_nvtabular_is_carried_without_the_extension_for_another_python(tmp_path: Path) -> None:
    for name in COPIED:
        copy_installed(name, tmp_path)
    assert (tmp_path / "nvtabular" / "ops" / "categorify.py").is_file()
    assert (tmp_path / "nvtabular-23.8.0.dist-info" / "METADATA").is_file()
    assert not list(tmp_path.rglob("*.so*"))


def test_a_run_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    attributes = [*_TINY["attributes"], {"name": "meaning", "kind": "sentence", "column": "title"}]
    write_run(Config.model_validate({**_TINY, "attributes": attributes}), tmp_path / "shop")
    moved = (tmp_path / "shop").rename(tmp_path / "elsewhere")
    data = read_run(moved)
    assert list(data.catalogue.attributes) == ["title", "category"]
    assert data.config.directory == moved
    assert len(data.prefixes("valid")) > 0


def test_figures_survive_a_part_that_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    step = Step.of(["--figures", str(tmp_path / "figures"), "--dry-run"])
    assert not step.attempt("division", lambda: 1 / 0)
    assert step.attempt("nothing", lambda: None)
    lines = (tmp_path / "figures").read_text().splitlines()
    assert '"failed: ZeroDivisionError: division by zero"' in lines[0] and '"nothing"' in lines[1]
    assert "Traceback" in capsys.readouterr().err
