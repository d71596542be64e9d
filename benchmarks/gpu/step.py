"""The common parts of all steps of a session: options, the file of figures, a clock.

Standard library only, so that a step can report what is missing even if nothing else can be imported.
"""

from __future__ import annotations

import json
import statistics
import time
import traceback
from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Step:
    """A running step.

    Attributes:
        figures: file with one JSON object per line; figures stay there whatever happens later.
        runs: folders with a `config.json` and the results of `m2trec preprocess` for it.
        device: `cuda`, or `cpu` in a rehearsal.
        rehearsal: whether to use tiny sizes.
    """

    figures: Path
    runs: Sequence[Path]
    device: str
    rehearsal: bool

    @classmethod
    def of(cls, words: Sequence[str] | None = None) -> Step:
        """Create a step from the command line."""
        parser = ArgumentParser()
        parser.add_argument("--figures", type=Path, required=True)
        parser.add_argument("--runs", type=Path, nargs="*", default=[])
        parser.add_argument("--dry-run", action="store_true")
        options = parser.parse_args(words)
        device = "cpu" if options.dry_run else "cuda"
        return cls(options.figures, options.runs, device, options.dry_run)

    def add(self, measure: str, value: Any, unit: str = "", **of: Any) -> None:
        """Add a figure: a measure, its value and unit, and what it is of."""
        line = {"measure": measure, "value": value, "unit": unit, **of}
        print(line, flush=True)
        with self.figures.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def attempt(self, name: str, do: Callable[[], Any]) -> bool:
        """Do a part of the step and return whether it succeeded; a failure is added to the figures."""
        started = time.perf_counter()
        try:
            do()
        except Exception as error:
            traceback.print_exc()
            self.add(name, f"failed: {type(error).__name__}: {error}"[:500])
            return False
        self.add(name, round(time.perf_counter() - started, 3), "s")
        return True

    def seconds(self, do: Callable[[], Any], repeats: int = 5) -> float:
        """Return the median seconds of some runs after a warm-up, each until the device is done."""
        taken = []
        for turn in range(1 + repeats):
            started = time.perf_counter()
            do()
            self.wait()
            if turn:
                taken.append(time.perf_counter() - started)
        return statistics.median(taken)

    def wait(self) -> None:
        """Wait until the device is done."""
        if self.device == "cuda":
            import torch

            torch.cuda.synchronize()
