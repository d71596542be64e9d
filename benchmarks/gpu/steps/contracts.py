"""Run the tests marked `gpu`: contracts of cuDF, a model and its training on CUDA."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from benchmarks.gpu.step import Step

ROOT = Path(__file__).parents[3]
#: The test and its outcome in a line of pytest.
_OUTCOME = re.compile(r"(\S+::.+?) (PASSED|FAILED|ERROR|SKIPPED)\b")


def main(step: Step) -> None:
    """Run the tests, and add the outcome of each to the figures."""
    marked = [path for path in sorted(ROOT.glob("tests/**/test_*.py")) if "mark.gpu" in path.read_text()]
    # The most important tests come first, in case the time runs out.
    marked.sort(key=lambda path: "frames" not in path.parts and "preprocessing" not in path.parts)
    command = [sys.executable, "-m", "pytest", "-v", "-m", "gpu", "--continue-on-collection-errors"]
    with subprocess.Popen(
        [*command, *map(str, marked)], cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as tests:
        assert tests.stdout is not None
        # Outcomes are added one by one, so that finished tests count if the time runs out.
        for line in tests.stdout:
            print(line, end="", flush=True)
            if found := _OUTCOME.match(line):
                step.add(found[2].lower(), found[1])
    if tests.returncode and not step.rehearsal:
        raise SystemExit(tests.returncode)


if __name__ == "__main__":
    main(Step.of())
