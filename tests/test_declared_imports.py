"""What the package imports, pyproject.toml asks for: not what happens to come with something else."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.modules_of_packages import packages_by_module

if sys.version_info >= (3, 11):
    import tomllib
else:
    tomllib = pytest.importorskip("tomli")

ROOT = Path(__file__).parent.parent
OWN = {"m2trec_merlin", "workflows", "triton_models"}
#: Modules that Triton itself, or one of RAPIDS' packages, has in the place where the code runs.
ELSEWHERE = {"triton_python_backend_utils", "cudf", "pylibcudf", "cupy", "rmm", "mpi4py"}
#: Parts of declared packages that these hand out: errors of pydantic, channels of tritonclient.
HANDED_OUT = {"pydantic_core", "grpc"}
#: In the standard library from Python 3.11 on, and asked for there alone.
LATER = {"tomllib"}


def imported() -> Iterator[tuple[str, Path]]:
    """Yield the first name of everything that is imported as code runs, and where."""
    for folder in OWN:
        for path in sorted((ROOT / folder).rglob("*.py")):
            tree = ast.parse(path.read_text("utf-8"))
            for block in [node for node in ast.walk(tree) if isinstance(node, ast.If)]:
                if ast.unparse(block.test) == "TYPE_CHECKING":
                    block.body = []
            for node in ast.walk(tree):
                if isinstance(node, ast.Import):
                    yield from ((alias.name.split(".")[0], path) for alias in node.names)
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    yield node.module.split(".")[0], path


def declared() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = (
        each for name, more in project["optional-dependencies"].items() if name != "dev" for each in more
    )
    return {canonicalize_name(Requirement(each).name) for each in [*project["dependencies"], *extras]}


def test_every_import_is_of_a_declared_dependency() -> None:
    asked_for, brought_by = declared(), packages_by_module()
    missing = {
        f"{name} in {path.relative_to(ROOT)}"
        for name, path in imported()
        if name not in {*sys.stdlib_module_names, *OWN, *ELSEWHERE, *HANDED_OUT, *LATER}
        and not asked_for & {canonicalize_name(each) for each in brought_by.get(name, [name])}
    }
    assert missing == set()
