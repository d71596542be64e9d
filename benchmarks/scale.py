"""What more sessions cost: seconds and memory of each step, from 0.1 million sessions up.

    python -m benchmarks.scale --sessions 100000 1000000 10000000

Generates sessions over 575 thousand items (configs/scale.yaml), and for every number of sessions runs `m2trec
data`, `m2trec preprocess` and some steps of `m2trec train`, each in a process of its own. Peak memory is the
resident size that the kernel reports when the process ends. Of training, `wall` is all of it: start, steps,
a validation of 1,024 prefixes against the whole catalogue, checkpoints; `step` is the time of the epoch
divided by its steps, reading the first sessions included.

Finished measurements are kept in the results and not made again, unless --force is given, so a run that was
stopped goes on where it stood.

Prints Markdown tables; writes benchmarks/results/scale.json and scale.svg.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from benchmarks.records import Record, commit, write_records
from m2trec_merlin.artifacts import read_json
from m2trec_merlin.config import load_config

RESULTS = Path(__file__).parent / "results" / "scale.json"
CONFIG = Path(__file__).parents[1] / "configs" / "scale.yaml"
STAGES = ("data", "preprocess", "train")
#: Measures of every stage, and those of training alone, with their units.
UNITS = {"wall": "s", "CPU": "s", "peak memory": "MiB", "sessions/s": "1/s"}
TRAIN_UNITS = {"step": "s", "targets/s": "1/s", "items seen": "items"}


@dataclass(frozen=True)
class Cell:
    """What one process of one stage took for a number of sessions."""

    stage: str
    sessions: int
    values: dict[str, float]
    commit: str

    @property
    def data(self) -> str:
        """What the records call the data."""
        return f"synthetic, 575,000 items, {self.sessions:,} sessions"

    def records(self) -> list[Record]:
        """Return one record a measure."""
        units = {**UNITS, **TRAIN_UNITS}
        return [
            Record(f"m2trec {self.stage}", self.data, name, value, units[name], None, self.commit)
            for name, value in self.values.items()
        ]


def read_cells(path: Path) -> list[Cell]:
    """Return the cells that an earlier run left."""
    if not path.is_file():
        return []
    grouped: dict[tuple[str, int, str], dict[str, float]] = {}
    for record in read_json(path):
        sessions = int(record["data"].split(", ")[-1].removesuffix(" sessions").replace(",", ""))
        key = (record["system"].removeprefix("m2trec "), sessions, record["commit"])
        grouped.setdefault(key, {})[record["measure"]] = record["value"]
    return [Cell(stage, sessions, values, made) for (stage, sessions, made), values in grouped.items()]


def sort_cells(cells: Iterable[Cell]) -> list[Cell]:
    """Return the cells by stage and size; of equal ones the last."""
    latest = {(STAGES.index(cell.stage), cell.sessions): cell for cell in cells}
    return [latest[key] for key in sorted(latest)]


def per_million(cells: Sequence[Cell], measure: str) -> list[tuple[int, int, float]]:
    """Return what a further million sessions cost between each size and the next: (from, to, cost).

    What a step costs whatever the number of sessions, such as the catalogue, drops out.
    """
    ordered = sorted(cells, key=lambda cell: cell.sessions)
    return [
        (
            small.sessions,
            large.sessions,
            (large.values[measure] - small.values[measure]) / ((large.sessions - small.sessions) / 1e6),
        )
        for small, large in pairwise(ordered)
    ]


def table(cells: Sequence[Cell]) -> str:
    """Return the measurements, and what a further million sessions cost, as Markdown."""
    columns = [*UNITS, *TRAIN_UNITS]
    units = {**UNITS, **TRAIN_UNITS}
    lines = [
        "| step | sessions | "
        + " | ".join(f"{c}, {units[c]}" if units[c] != "1/s" else c for c in columns)
        + " |",
        "|---|---|" + "---|" * len(columns),
    ]
    for cell in cells:
        shown = [_show(cell.values.get(column)) for column in columns]
        lines.append(f"| {cell.stage} | {cell.sessions:,} | {' | '.join(shown)} |")
    lines += ["", "| step | from | to | s per further million | CPU s | MiB |", "|---|---|---|---|---|---|"]
    for stage in ("data", "preprocess"):
        own = [cell for cell in cells if cell.stage == stage]
        measures = [per_million(own, measure) for measure in ("wall", "CPU", "peak memory")]
        for (start, stop, wall), (_, _, cpu), (_, _, memory) in zip(*measures, strict=True):
            lines.append(f"| {stage} | {start:,} | {stop:,} | {wall:.2f} | {cpu:.2f} | {memory:.1f} |")
    return "\n".join(lines)


def _show(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def plot(cells: Sequence[Cell], path: Path) -> None:
    """Draw CPU seconds, which others on the machine change least, and memory against the sessions."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "scale"
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for stage in STAGES:
        own = [cell for cell in cells if cell.stage == stage]
        sessions = [cell.sessions for cell in own]
        if own and stage != "train":
            left.plot(sessions, [cell.values["CPU"] for cell in own], "o-", label=f"m2trec {stage}")
        if own:
            memory = [cell.values["peak memory"] / 1024 for cell in own]
            right.plot(sessions, memory, "o-", label=f"m2trec {stage}")
    reach = np.array([min(c.sessions for c in cells), max(c.sessions for c in cells)])
    left.plot(reach, 10 * reach / 1e6, "k:", linewidth=1, label="linear: 10 s a million")
    left.set(xscale="log", yscale="log", xlabel="sessions", ylabel="CPU seconds", title="Work of a step")
    right.set(xscale="log", ylim=(0, None), xlabel="sessions", ylabel="GiB", title="Peak memory of a step")
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(path, metadata={"Date": None})


def run_cell(stage: str, sessions: int, work_dir: Path, steps: int) -> Cell:
    """Run one step in a process of its own and measure it."""
    settings = [f"work_dir={work_dir}", f"data.options.n_sessions={sessions}"]
    if stage == "train":
        settings += [f"training.max_steps={steps}", "training.epochs=1", "training.validation_prefixes=1024"]
    options = [word for setting in settings for word in ("-s", setting)]
    program = "from m2trec_merlin.cli.app import main; main()"
    command = [sys.executable, "-c", program, stage, "--force", "-c", str(CONFIG), *options]
    work_dir.mkdir(parents=True, exist_ok=True)
    log = work_dir / f"{stage}.log"
    started = time.perf_counter()
    with log.open("w", encoding="utf-8") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    # Popen did not see the process end.
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{stage} failed ({process.returncode}):\n{log.read_text(encoding='utf-8')[-2000:]}")
    values = {
        "wall": round(wall, 2),
        "CPU": round(usage.ru_utime + usage.ru_stime, 2),
        "peak memory": round(usage.ru_maxrss / 1024),
    }
    values |= _training_rates(work_dir, steps) if stage == "train" else {"sessions/s": round(sessions / wall)}
    return Cell(stage, sessions, values, commit())


def _training_rates(work_dir: Path, steps: int) -> dict[str, float]:
    preprocessed = read_json(work_dir / "preprocessed" / "manifest.json")
    counts = preprocessed["sessions"]["train"]
    batch_size = load_config(CONFIG).training.batch_size
    steps = min(steps, -(-counts["sessions"] // batch_size))
    step = read_json(work_dir / "model" / "history.json")[0]["seconds"] / steps
    # Every event but the first of its session is a target.
    targets = (counts["events"] / counts["sessions"] - 1) * batch_size
    # The model has a vector for each item seen, so memory follows them until the whole catalogue was seen.
    seen = preprocessed["catalogue"]["seen"]
    return {"step": round(step, 4), "targets/s": round(targets / step), "items seen": seen}


def _finished(work_dir: Path, stage: str) -> bool:
    folder = {"data": "data", "preprocess": "preprocessed"}.get(stage)
    return folder is not None and (work_dir / folder / "manifest.json").is_file()


def measure(arguments: argparse.Namespace, sessions: int, cells: list[Cell]) -> list[Cell]:
    """Return the cells with those of one number of sessions added; results are written after each."""
    work_dir = arguments.work_dir / f"{sessions}"
    known = {cell.stage for cell in cells if cell.sessions == sessions}
    missing = [stage for stage in STAGES if stage in arguments.stages]
    missing = [stage for stage in missing if arguments.force or stage not in known]
    if not missing:
        print(f"{sessions:,} sessions: measured already", flush=True)
        return cells
    # What an earlier stage wrote may have been removed since: then it runs, and is measured, again.
    before = STAGES[: STAGES.index(missing[0])]
    for stage in [*(s for s in before if not _finished(work_dir, s)), *missing]:
        print(f"{sessions:,} sessions: {stage} ...", end=" ", flush=True)
        cell = run_cell(stage, sessions, work_dir, arguments.steps)
        print(f"{cell.values['wall']:,.1f} s, {cell.values['peak memory']:,} MiB", flush=True)
        cells = sort_cells([*cells, cell])
        write_records(arguments.results, [record for c in cells for record in c.records()])
    if not arguments.keep:
        shutil.rmtree(work_dir)
    return cells


def main() -> None:
    """Measure what is missing, print and draw everything."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sessions", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=STAGES)
    parser.add_argument("--work-dir", type=Path, default=Path("runs/scale"))
    parser.add_argument("--results", type=Path, default=RESULTS, help="JSON file; the plot lies beside it")
    parser.add_argument("--steps", type=int, default=100, help="training steps")
    parser.add_argument("--keep", action="store_true", help="keep generated data when a size is done")
    parser.add_argument("--force", action="store_true", help="measure again what was measured")
    arguments = parser.parse_args()
    cells = read_cells(arguments.results)
    for sessions in sorted(arguments.sessions):
        cells = measure(arguments, sessions, cells)
    print(table(cells))
    plot(cells, arguments.results.with_suffix(".svg"))


if __name__ == "__main__":
    main()
