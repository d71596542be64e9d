"""The wheel as a stranger gets it: all that is needed is inside, and what it asks for is what was run."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from email.message import Message
from email.parser import BytesParser
from pathlib import Path

import pytest

from m2trec_merlin import __version__

ROOT = Path(__file__).parents[2]
SOURCES = ("m2trec_merlin", "workflows", "triton_models", "pyproject.toml", "README.md", "LICENSE")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """A wheel that setuptools builds of a copy, as it leaves its own folders beside the sources."""
    place = tmp_path_factory.mktemp("wheel")
    for name in SOURCES:
        source, target = ROOT / name, place / "copy" / name
        if source.is_dir():
            shutil.copytree(source, target, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "--wheel-dir", str(place), str(place / "copy")], check=True, capture_output=True)
    [built] = place.glob("*.whl")
    assert built.name == f"m2trec_merlin-{__version__}-py3-none-any.whl"
    return zipfile.ZipFile(built)


@pytest.fixture(scope="module")
def metadata(wheel: zipfile.ZipFile) -> Message:
    return BytesParser().parsebytes(wheel.read(f"m2trec_merlin-{__version__}.dist-info/METADATA"))


def test_every_file_of_the_package_is_inside_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    package = ROOT / "m2trec_merlin"
    folders = {"": package, "workflows/": ROOT / "workflows", "triton_models/": ROOT / "triton_models"}
    expected = {
        f"m2trec_merlin/{prefix}{path.relative_to(folder)}"
        for prefix, folder in folders.items()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    inside = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert inside == expected
    assert {"m2trec_merlin/py.typed", "m2trec_merlin/triton_models/m2trec/config.pbtxt"} <= inside


def test_metadata(wheel: zipfile.ZipFile, metadata: Message) -> None:
    assert (metadata["Name"], metadata["Version"]) == ("m2trec-merlin", __version__)
    assert set(metadata["Requires-Python"].split(",")) == {">=3.10", "<3.13"}
    assert metadata["License"] == "Apache-2.0"
    assert {"serve", "sentences", "gpu"} <= set(metadata.get_all("Provides-Extra", []))
    scripts = wheel.read(f"m2trec_merlin-{__version__}.dist-info/entry_points.txt").decode().split()
    assert scripts == ["[console_scripts]", "m2trec", "=", "m2trec_merlin.__main__:main"]


def test_the_heavy_packages_are_asked_for_without_any_extra(metadata: Message) -> None:
    required = [line for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line]
    names = {re.split(r"[^\w-]", line)[0] for line in required}
    assert {"nvtabular", "transformers4rec", "torch", "numpy", "pandas", "pyarrow"} <= names
    assert not names & {"nvidia-pytriton", "sentence-transformers", "cudf-cu13", "pytest"}


def test_the_overrides_that_travel_are_those_of_the_project(wheel: zipfile.ZipFile) -> None:
    tomllib = pytest.importorskip("tomllib", reason="Python 3.10 reads no TOML")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["uv"]["override-dependencies"]
    text = wheel.read("m2trec_merlin/overrides.txt").decode()
    assert [line for line in text.splitlines() if not line.startswith("#")] == project
    assert (ROOT / "overrides.txt").read_text() == text


CLIENT_ALONE = """
import sys
import m2trec_merlin
from m2trec_merlin.errors import NoAnswerError
from m2trec_merlin.serving.client import AsyncRecommendationClient, RecommendationClient

try:
    with RecommendationClient("127.0.0.1:1", timeout=5) as client:
        client.recommend(["4711"])
except NoAnswerError:
    print(m2trec_merlin.__file__, *sorted({name.partition(".")[0] for name in sys.modules}))
"""
#: What the other verbs need, by what is imported.
HEAVY = {"torch", "pandas", "pyarrow", "pydantic", "yaml", "typer", "rich", "nvtabular", "merlin", "psutil"}


def test_the_client_needs_numpy_and_tritonclient_alone(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    pytest.importorskip("tritonclient.grpc")
    wheel.extractall(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", CLIENT_ALONE], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    where, *imported = done.stdout.split()
    assert Path(where).is_relative_to(tmp_path)
    assert {"numpy", "tritonclient"} <= set(imported) and not HEAVY & set(imported)
