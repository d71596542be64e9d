"""The tests that are marked `gpu`: cuDF's contracts, a model and its training on CUDA."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.gpu.step import Step

ROOT = Path(__file__).parents[3]


def main(step: Step) -> None:
    """Run them, and add the outcome of each."""
    marked = [path for path in sorted(ROOT.glob("tests/**/test_*.py")) if "mark.gpu" in path.read_text()]
    # What matters most comes first, should the time be up.
    marked.sort(key=lambda path: "frames" not in path.parts and "preprocessing" not in path.parts)
    with TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-m",
            "gpu",
            "--junitxml",
            str(report),
            *map(str, marked),
        ]
        done = subprocess.run([*command, "--continue-on-collection-errors"], cwd=ROOT)
        for case in ElementTree.parse(report).iter("testcase"):
            outcome = next(
                (child.tag for child in case if child.tag in ("failure", "error", "skipped")), "passed"
            )
            step.add(outcome, f"{case.get('classname')}::{case.get('name')}", of=case.get("time"))
    if done.returncode and not step.rehearsal:
        raise SystemExit(done.returncode)


if __name__ == "__main__":
    main(Step.of())
