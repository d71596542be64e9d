"""Time and memory of each step by number of sessions, from 0.1 million up.

    python -m benchmarks scale --sessions 100000 1000000 10000000

Generates sessions over 575 thousand items (configs/scale.yaml), and for every number of sessions runs `m2trec
data`, `m2trec preprocess` and some steps of `m2trec train`, each in a separate process. Peak memory is the
resident size that the kernel reports when the process ends. For training, `wall` includes everything: start,
steps, a validation of 1,024 prefixes against the whole catalogue, and checkpoints; `step` is the time of the
epoch divided by its steps, including reading the first sessions.

Finished measurements are kept under the working folder and are not repeated, unless --force is given, so a
run that was stopped continues where it stopped. All kept measurements are published.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from benchmarks.frame.keep import Store
from benchmarks.frame.parse import Parser
from benchmarks.frame.plot import Panel, Point, draw
from benchmarks.frame.publish import Record, Records, Stamp, commit, publish, table
from m2trec_merlin.artifacts import MANIFEST, read_json
from m2trec_merlin.config import load_config
from m2trec_merlin.manifests import require_manifest
from m2trec_merlin.runs import RunFolder

CONFIG = Path(__file__).parents[1] / "configs" / "scale.yaml"
STAGES = ("data", "preprocess", "train")
#: Measures of every stage with their units, and further ones of training.
UNITS = {"wall": "s", "CPU": "s", "peak memory": "MiB", "sessions/s": "1/s"}
TRAIN_UNITS = {"step": "s", "targets/s": "1/s", "items seen": "items"}


def options(parser: Parser) -> None:
    parser.add_argument(
        "--sessions", type=int, nargs="+", default=[100_000, 1_000_000], help="sizes of the data"
    )
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=STAGES, help="default: all")
    parser.add_how("--work-dir", type=Path, default=Path("runs/scale"), help="folder of the runs")
    parser.add_argument("--steps", type=int, default=100, help="training steps")
    parser.add_how("--keep", action="store_true", help="keep generated data when a size is done")
    parser.add_force()


def run(options: Namespace) -> None:
    for sessions in sorted(options.sessions):
        measure(options, sessions)
    print(publish_cells(options.output, kept(options.work_dir), options.stamp))


@dataclass(frozen=True)
class Cell:
    """The measurements of one stage for a number of sessions.

    Attributes:
        stage: step of `m2trec`.
        sessions: number of generated sessions.
        items: number of items in the catalogue.
        values: measured values by measure.
        commit: commit of the code.
    """

    stage: str
    sessions: int
    items: int
    values: dict[str, float]
    commit: str

    def records(self) -> list[Record]:
        """Return one record per measure."""
        data = f"synthetic, {self.items:,} items, {self.sessions:,} sessions"
        records = Records(data, self.commit)
        for name, value in self.values.items():
            records.add(f"m2trec {self.stage}", name, value, {**UNITS, **TRAIN_UNITS}[name])
        return records


def store_of(work_dir: Path) -> Store[Cell]:
    """Return the store of finished cells."""
    return Store(work_dir / "measured", Cell)


def kept(work_dir: Path) -> list[Cell]:
    """Return the finished cells in order."""
    return sorted(store_of(work_dir).all(), key=lambda cell: (STAGES.index(cell.stage), cell.sessions))


def per_million(cells: Sequence[Cell], measure: str) -> list[tuple[int, int, float]]:
    """Return the cost of a further million sessions between each size and the next: (from, to, cost).

    Costs that do not depend on the number of sessions, such as the catalogue, cancel out.
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


def tables(cells: Sequence[Cell]) -> list[str]:
    """Return the measurements, and the cost of a further million sessions, as Markdown tables."""
    units = {**UNITS, **TRAIN_UNITS}
    heads = [name if unit == "1/s" else f"{name}, {unit}" for name, unit in units.items()]
    measured = [
        [cell.stage, f"{cell.sessions:,}", *(_show(cell.values.get(name)) for name in units)]
        for cell in cells
    ]
    further = []
    for stage in ("data", "preprocess"):
        own = [cell for cell in cells if cell.stage == stage]
        measures = [per_million(own, measure) for measure in ("wall", "CPU", "peak memory")]
        for (start, stop, wall), (_, _, cpu), (_, _, memory) in zip(*measures, strict=True):
            further.append([stage, f"{start:,}", f"{stop:,}", f"{wall:.2f}", f"{cpu:.2f}", f"{memory:.1f}"])
    slopes = ["step", "from", "to", "s per further million", "CPU s", "MiB"]
    return [table(["step", "sessions", *heads], measured), table(slopes, further)]


def _show(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def plot(cells: Sequence[Cell]) -> str:
    """Plot CPU seconds, which other load on the machine affects least, and memory by number of sessions."""

    def lines(measure: str, scale: float, stages: Sequence[str]) -> dict[str, list[Point]]:
        points: dict[str, list[Point]] = {}
        for cell in cells:
            if cell.stage in stages:
                point = cell.sessions, cell.values[measure] / scale
                points.setdefault(f"m2trec {cell.stage}", []).append(point)
        return points

    sizes = [cell.sessions for cell in cells]
    slope = {"linear: 10 s a million": [(size, size / 1e5) for size in (min(sizes), max(sizes))]}
    work = lines("CPU", 1, STAGES[:-1])
    memory = lines("peak memory", 1024, STAGES)
    return draw(
        Panel("sessions", "CPU seconds", work, "Work of a step", logarithmic="xy", slope=slope),
        Panel("sessions", "GiB", memory, "Peak memory of a step", logarithmic="x"),
    )


def publish_cells(output: Path, cells: Sequence[Cell], stamp: Stamp) -> str:
    """Write all measurements; return the page."""
    records = [record for cell in cells for record in cell.records()]
    title, plots = "What more sessions cost", {"": plot(cells)}
    return publish(output, "scale", records, stamp, title=title, parts=tables(cells), plots=plots)


def run_cell(stage: str, sessions: int, work_dir: Path, steps: int) -> Cell:
    """Run one step in a separate process and measure it."""
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
    # Popen did not see the process end, because `wait4` collected it.
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{stage} failed ({process.returncode}):\n{log.read_text(encoding='utf-8')[-2000:]}")
    values = {
        "wall": round(wall, 2),
        "CPU": round(usage.ru_utime + usage.ru_stime, 2),
        "peak memory": round(usage.ru_maxrss / 1024),
    }
    values |= _training_rates(work_dir, steps) if stage == "train" else {"sessions/s": round(sessions / wall)}
    n_items = require_manifest(RunFolder(work_dir, work_dir).data, "data")["counts"]["items"]
    return Cell(stage, sessions, n_items, values, commit())


def _training_rates(work_dir: Path, steps: int) -> dict[str, float]:
    folders = RunFolder(work_dir, work_dir)
    preprocessed = require_manifest(folders.preprocessed, "preprocess")
    counts = preprocessed["sessions"]["train"]
    batch_size = load_config(CONFIG).training.batch_of(counts["sessions"])
    steps = min(steps, -(-counts["sessions"] // batch_size))
    step = read_json(folders.history, "train")[0]["seconds"] / steps
    # Every event except the first of a session is a target.
    targets = (counts["events"] / counts["sessions"] - 1) * batch_size
    # The model has a vector per seen item, so memory grows with their number.
    seen = preprocessed["catalogue"]["seen"]
    return {"step": round(step, 4), "targets/s": round(targets / step), "items seen": seen}


def _finished(work_dir: Path, stage: str) -> bool:
    folders = RunFolder(work_dir, work_dir)
    folder = {"data": folders.data, "preprocess": folders.preprocessed}.get(stage)
    return folder is not None and (folder / MANIFEST).is_file()


def measure(options: Namespace, sessions: int) -> None:
    """Measure the missing stages for one number of sessions; results are kept and written after each."""
    work_dir, store = options.work_dir / f"{sessions}", store_of(options.work_dir)

    def depends(stage: str) -> dict[str, object]:
        steps = options.steps if stage == "train" else None
        return {"configuration": CONFIG.read_text(encoding="utf-8"), "sessions": sessions, "steps": steps}

    def done(stage: str) -> bool:
        return not options.force and store.read(f"{stage}-{sessions}", depends(stage)) is not None

    missing = [stage for stage in STAGES if stage in options.stages and not done(stage)]
    if not missing:
        print(f"{sessions:,} sessions: measured already", flush=True)
        return
    # If the output of an earlier stage was removed, that stage runs and is measured again.
    before = STAGES[: STAGES.index(missing[0])]
    for stage in [*(s for s in before if not _finished(work_dir, s)), *missing]:
        print(f"{sessions:,} sessions: {stage} ...", end=" ", flush=True)
        cell = run_cell(stage, sessions, work_dir, options.steps)
        print(f"{cell.values['wall']:,.1f} s, {cell.values['peak memory']:,} MiB", flush=True)
        store.write(f"{stage}-{sessions}", depends(stage), cell)
        publish_cells(options.output, kept(options.work_dir), options.stamp)
    if not options.keep:
        shutil.rmtree(work_dir)
