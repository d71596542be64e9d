"""Write results to be committed: records or rows as JSON, and a page that says how they were made."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from m2trec_merlin.artifacts import atomic_write

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Record:
    """One measured number.

    Attributes:
        system: the system that was measured.
        data: the data that it was measured on.
        measure: the quantity that was measured.
        value: the number; None if there is none, such as the time to a quality that was never reached.
        unit: unit of the value.
        ratio_to_ours: for a time, that system's seconds divided by ours: above 1 ours is faster.
        commit: commit of the measured code.
    """

    system: str
    data: str
    measure: str
    value: float | int | None
    unit: str
    ratio_to_ours: float | None
    commit: str


class Records(list[Record]):
    """Records of one data set and one state of the code."""

    def __init__(self, data: str, commit: str) -> None:
        super().__init__()
        self._data, self._commit = data, commit

    def add(
        self, system: str, measure: str, value: float | None, unit: str, ratio: float | None = None
    ) -> None:
        """Append a record."""
        self.append(Record(system, self._data, measure, value, unit, ratio, self._commit))


@dataclass(frozen=True)
class Stamp:
    """A record of how results were made.

    Attributes:
        commit: commit of the code at the start, whatever is edited meanwhile.
        command: command that gives the same results.
        cores: number of cores that the process may use.
        load: load average of the minute before the start: how busy other processes kept the machine.
    """

    commit: str
    command: str
    cores: int
    load: float

    @classmethod
    def now(cls, command: str) -> Stamp:
        """Return the stamp of a command that starts now."""
        return cls(commit(), command, usable_cores(), round(os.getloadavg()[0], 1))

    def __str__(self) -> str:
        return f"Made by `{self.command}` at commit {self.commit}, {self.cores} cores, load {self.load:g}."


def commit(folder: Path = ROOT) -> str:
    """Return git's short hash, with "-dirty" if the tree has changes besides committed results."""

    def git(*arguments: str) -> str:
        answer = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True)
        return answer.stdout.strip()

    results = [f":(top,exclude){name}/results" for name in ("benchmarks", "experiments")]
    changes = git("status", "--porcelain", "--", ":/", *results)
    return git("rev-parse", "--short", "HEAD") + ("-dirty" if changes else "")


def usable_cores() -> int:
    """Return how many CPU cores this process may use; under `taskset`, fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def publish(
    output: Path,
    name: str,
    results: Sequence[Record] | Sequence[dict[str, Any]],
    stamp: Stamp,
    *,
    title: str,
    parts: Sequence[str] = (),
    plots: Mapping[str, str] | None = None,
) -> str:
    """Write NAME.json, NAME.md and the plots, each file atomically.

    Args:
        output: folder of the results.
        name: name of the files.
        results: records, or rows with any columns, which are written as one line of JSON each.
        stamp: stamp of the run.
        title: title of the page.
        parts: paragraphs and tables of the page; default: a table with one line per record.
        plots: plots as SVG, by the part of the file's name between NAME and `.svg`.

    Returns:
        The text of the page.
    """
    records = [result for result in results if isinstance(result, Record)]
    if records:
        text = json.dumps([asdict(record) for record in records], indent=2) + "\n"
    else:
        text = "[\n" + ",\n".join(json.dumps(row) for row in results) + "\n]\n"
    atomic_write(output / f"{name}.json", text)
    plots = plots or {}
    for plot, svg in plots.items():
        atomic_write(output / f"{name}{plot}.svg", svg)
    shown = [f"![{plot.strip('-') or title}]({name}{plot}.svg)" for plot in plots]
    page = "\n\n".join([f"# {title}", str(stamp), *(parts or [markdown(records)]), *shown]) + "\n"
    atomic_write(output / f"{name}.md", page)
    return page


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], left: int | None = None) -> str:
    """Return a Markdown table with the first `left` columns aligned left, the others right."""
    marks = ["---" if left is None or column < left else "---:" for column in range(len(heads))]
    lines = [f"| {' | '.join(heads)} |", f"|{'|'.join(marks)}|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def markdown(records: Sequence[Record]) -> str:
    """Return a Markdown table with one line per record."""
    return table(
        ["system", "data", "measure", "value", "unit", "ratio to ours"],
        [[r.system, r.data, r.measure, _number(r.value), r.unit, _number(r.ratio_to_ours)] for r in records],
    )


def _number(value: float | int | None) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"
