"""Measure everything on a machine with a GPU that is available for half an hour, the most important first.

    python -m benchmarks gpu --kit kit --output results/gpu
    python -m benchmarks.gpu.session --kit kit --output results/gpu    # needs the standard library alone
    python -m benchmarks gpu --dry-run                                 # a rehearsal on the CPU, on tiny data

Each step is a separate process with a time limit, so a step that hangs or fails does not affect the others.
After each step, OUTPUT/STEP.json holds its figures, finished or not; a finished step is not repeated, unless
--force is given. `--kit` names a folder with the parts that `gpu-kit` made; they are unpacked, and take
precedence over installed packages. Without it, the installed packages and the runs of --runs are used.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.gpu.parts import unpack

ROOT = Path(__file__).parents[2]
_TAIL = 6_000


@dataclass(frozen=True)
class Part:
    """A step of the session.

    Attributes:
        name: name of its module in `benchmarks.gpu.steps`, and of its file of results.
        seconds: time limit in seconds.
    """

    name: str
    seconds: int


#: The most important steps first, in case the time runs out; about 25 minutes together.
STEPS = (
    Part("smoke", 90),
    Part("contracts", 180),
    Part("preprocessing", 240),
    Part("training", 360),
    Part("evaluation", 120),
    Part("encoding", 120),
    Part("top_k", 120),
    Part("rival", 240),
)


def options(parser: ArgumentParser) -> None:
    """Declare the options, except those of every benchmark."""
    parser.add_argument(
        "--kit", type=Path, help="folder of part-00, part-01, ...; default: what is installed"
    )
    parser.add_argument("--runs", type=Path, nargs="*", default=[], help="folders of runs, besides the kit's")
    parser.add_argument(
        "--minutes", type=float, default=28.0, help="start no step after so many (default: 28)"
    )
    parser.add_argument("--steps", nargs="+", choices=[part.name for part in STEPS], help="default: all")
    parser.add_argument("--dry-run", action="store_true", help="rehearse on the CPU, on tiny data")
    parser.add_argument("--force", action="store_true", help="do again what was finished")


def run(options: Namespace) -> int:
    """Do the steps; return the exit status, which is 0 if all are finished."""
    deadline = time.monotonic() + 60 * options.minutes
    output: Path = options.output
    output.mkdir(parents=True, exist_ok=True)
    environment, runs = _environment(options)
    finished = True
    for part in STEPS:
        if options.steps and part.name not in options.steps:
            continue
        left = deadline - time.monotonic()
        target = output / f"{part.name}.json"
        if not options.force and _is_finished(target, options.dry_run):
            print(f"{part.name}: finished before", flush=True)
            continue
        if left < 10:
            print(f"{part.name}: no time left", flush=True)
            finished = False
            continue
        result = _do(part, min(part.seconds, left), target, runs, environment, options.dry_run)
        print(f"{part.name}: {result['status']} after {result['seconds']} s", flush=True)
        finished &= result["status"] == "finished"
    return 0 if finished else 1


def _environment(options: Namespace) -> tuple[dict[str, str], list[Path]]:
    """Unpack the kit unless that is done, and return the environment variables of the steps, and the runs."""
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    runs = list(options.runs)
    paths = [str(ROOT)]
    if options.kit is not None:
        unpacked = options.kit / "unpacked"
        if not unpacked.is_dir():
            started = time.monotonic()
            new = options.kit / "unpacked.new"
            unpack(sorted(options.kit.glob("part-*")), new)
            new.rename(unpacked)
            print(f"unpacked in {time.monotonic() - started:.0f} s", flush=True)
        paths.insert(0, str(unpacked / "site"))
        runs += sorted(path.parent for path in unpacked.glob("runs/*/config.json"))
    # The kit's packages come first, because the machine has another NumPy.
    environment["PYTHONPATH"] = os.pathsep.join([*paths, *filter(None, [os.environ.get("PYTHONPATH")])])
    cuda = environment.get("CUDA_HOME", "/usr/local/cuda")
    if Path(cuda).is_dir():
        # CuPy and Numba compile against a CUDA toolkit, which the kit does not contain.
        libraries = [f"{cuda}/lib64", *filter(None, [environment.get("LD_LIBRARY_PATH")])]
        environment |= {"CUDA_HOME": cuda, "CUDA_PATH": cuda, "LD_LIBRARY_PATH": os.pathsep.join(libraries)}
    return environment, runs


def _is_finished(target: Path, rehearsal: bool) -> bool:
    if not target.is_file():
        return False
    result = json.loads(target.read_text(encoding="utf-8"))
    return bool(result["status"] == "finished" and result["rehearsal"] == rehearsal)


def _do(
    part: Part,
    seconds: float,
    target: Path,
    runs: Sequence[Path],
    environment: dict[str, str],
    rehearsal: bool,
) -> dict[str, Any]:
    """Run one step, and write and return its results."""
    figures = target.with_suffix(".jsonl")
    figures.unlink(missing_ok=True)
    log = target.with_suffix(".log")
    command = [sys.executable, "-m", f"benchmarks.gpu.steps.{part.name}", "--figures", str(figures)]
    command += ["--runs", *map(str, runs)] + (["--dry-run"] if rehearsal else [])
    started = time.monotonic()
    with log.open("w", encoding="utf-8") as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            status = process.wait(seconds)
        except subprocess.TimeoutExpired:
            # Kill its children, too, so that the next step has the machine to itself.
            os.killpg(process.pid, 9)
            process.wait()
            status = None
    result = {
        "step": part.name,
        "status": {0: "finished", None: "out of time"}.get(status, f"failed ({status})"),
        "rehearsal": rehearsal,
        "commit": _commit(),
        "seconds": round(time.monotonic() - started, 1),
        "figures": _read(figures),
        "output": log.read_text(encoding="utf-8", errors="replace")[-_TAIL:],
    }
    new = target.with_suffix(".new")
    new.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    new.replace(target)
    for part_file in (figures, log):
        part_file.unlink(missing_ok=True)
    return result


def _commit() -> str | None:
    """Return the commit of the code, or None if it is unknown."""
    command = ["git", "describe", "--always", "--dirty"]
    try:
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def _read(figures: Path) -> list[dict[str, Any]]:
    """Return the figures; the last line may be incomplete if the time ran out, and is left out then."""
    found = []
    for line in figures.read_text(encoding="utf-8").splitlines() if figures.is_file() else []:
        try:
            found.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return found


if __name__ == "__main__":
    alone = ArgumentParser(description=__doc__)
    alone.add_argument("--output", type=Path, default=ROOT / "benchmarks" / "results" / "gpu")
    options(alone)
    sys.exit(run(alone.parse_args()))
