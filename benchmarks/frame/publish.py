"""Results of benchmarks: one number a record, as JSON and as a Markdown table."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from m2trec_merlin.artifacts import atomic_write


@dataclass(frozen=True)
class Record:
    """One measured number.

    Attributes:
        system: what was measured.
        data: on which data.
        measure: what of it.
        value: the number; None if it has none, such as the time to a quality that was never reached.
        unit: of the value.
        ratio_to_ours: of a time, that system's seconds divided by ours: above 1 ours is faster.
        commit: of the code that was measured.
    """

    system: str
    data: str
    measure: str
    value: float | int | None
    unit: str
    ratio_to_ours: float | None
    commit: str


def commit() -> str:
    """Return git's short hash, with "-dirty" if the tree has changes besides results of benchmarks."""

    def git(*arguments: str) -> str:
        answer = subprocess.run(["git", *arguments], capture_output=True, text=True, check=True)
        return answer.stdout.strip()

    changes = git("status", "--porcelain", "--", ":/", ":(top,exclude)benchmarks/results")
    return git("rev-parse", "--short", "HEAD") + ("-dirty" if changes else "")


def usable_cores() -> int:
    """Return how many CPU cores this process may use: fewer than the machine has under `taskset`."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def write_records(path: Path, records: Sequence[Record]) -> None:
    """Write records as a JSON list, all or nothing."""
    atomic_write(path, json.dumps([asdict(record) for record in records], indent=2) + "\n")


def write_rows(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write rows as a JSON list with a line each, all or nothing."""
    lines = ",\n".join(json.dumps(row) for row in rows)
    atomic_write(path, f"[\n{lines}\n]\n")


def markdown(records: Sequence[Record]) -> str:
    """Return a table with a line a record."""
    lines = ["| system | data | measure | value | unit | ratio to ours |", "|---|---|---|---|---|---|"]
    for r in records:
        cells = [r.system, r.data, r.measure, _number(r.value), r.unit, _number(r.ratio_to_ours)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _number(value: float | int | None) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"
