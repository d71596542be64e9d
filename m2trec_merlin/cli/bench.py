"""The verb `bench`: experiments that live beside the package, in the repository's benchmarks/."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

from m2trec_merlin.errors import MissingDependencyError

_REPOSITORY = Path(__file__).parents[2]


def run_benchmark(name: str, arguments: Sequence[str]) -> int:
    """Run `benchmarks.NAME` with command-line arguments of its own; returns its exit status.

    Raises:
        MissingDependencyError: the package was installed without its repository.
    """
    if not (_REPOSITORY / "benchmarks").is_dir():
        raise MissingDependencyError(
            "`m2trec bench` needs the repository, whose benchmarks/ is not installed: clone it, run "
            "`make setup` there, and call .venv/bin/m2trec"
        )
    if str(_REPOSITORY) not in sys.path:
        sys.path.insert(0, str(_REPOSITORY))
    module = "benchmarks.paper.__main__" if name == "paper" else f"benchmarks.{name}"
    status: int = importlib.import_module(module).main(arguments)
    return status
