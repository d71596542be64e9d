"""Cost of the library on one core, without a server.

    python -m benchmarks library --run runs/NAME [--alone runs/EXPORTED_WITHOUT_MIXTURE]

Importing and loading are measured in fresh processes, from their first line. Sessions are those of the test
split without their last event, each used once; items given by attributes are new to the recommender.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

import m2trec_merlin as m2trec
from benchmarks.frame.parse import Parser
from benchmarks.frame.publish import Records, publish, table
from benchmarks.serving import raw_items, read_sessions
from m2trec_merlin.runs import RunFolder

_WARM_UP = 50
_NEW_ITEMS = 100

_FRESH = """
import sys, time
moments = [(time.perf_counter(), time.process_time())]
import m2trec_merlin as m2trec
moments.append((time.perf_counter(), time.process_time()))
recommender = m2trec.load(sys.argv[1])
moments.append((time.perf_counter(), time.process_time()))
recommender.recommend([sys.argv[2]])
moments.append((time.perf_counter(), time.process_time()))
for (wall, cpu), (next_wall, next_cpu) in zip(moments, moments[1:]):
    print(next_wall - wall, next_cpu - cpu)
"""

#: Seconds of wall-clock time, and seconds of processor time.
Spent = tuple[float, float]


def options(parser: Parser) -> None:
    parser.add_argument("--run", type=Path, required=True, help="folder of a run that was exported")
    parser.add_argument("--alone", type=Path, help="the same, exported with serving.mixture.kind=off")
    parser.add_argument("--sessions", type=int, default=2000, help="sessions that are answered, at most")
    parser.add_argument("--processes", type=int, default=5, help="fresh processes for import and load")


def run(options: Namespace) -> None:
    data = RunFolder(options.run, options.run).data
    sessions = read_sessions(data)[: options.sessions + _WARM_UP]
    items = list(raw_items(data).items())
    with on_one_core():
        measured = measure(options.run, sessions, items[: _NEW_ITEMS + 1], options.processes)
        if options.alone:
            alone = answer(m2trec.load(options.alone), sessions)
            measured.update({f"{name}, the model alone": spent for name, spent in alone.items()})
    records = Records(str(options.run), options.stamp.commit)
    rows = []
    for name, spent in measured.items():
        by_clock, of_processor = 1000 * np.array(spent).T
        figures = {
            "mean": by_clock.mean(),
            "p99": np.percentile(by_clock, 99),
            "mean of the processor": of_processor.mean(),
        }
        for figure, value in figures.items():
            records.add(name, figure, round(float(value), 3), "ms")
        rows.append([name, *(f"{value:,.2f}" for value in figures.values())])
    parts = [table(["ms", "mean", "p99", "mean of the processor"], rows, left=1)]
    title = f"The library on one core, {len(items):,} items, {len(sessions) - _WARM_UP:,} sessions"
    print(publish(options.output, "library", records, options.stamp, title=title, parts=parts))


def measure(
    run: Path, sessions: list[list[str]], items: list[tuple[str, str]], processes: int
) -> dict[str, list[Spent]]:
    """Return the times of everything that is measured, by name; `items` are ids and attributes as JSON."""
    fresh = [start(run, sessions[0][0]) for _ in range(processes)]
    measured: dict[str, list[Spent]] = dict(
        zip(("import", "load", "first answer"), map(list, zip(*fresh, strict=True)), strict=True)
    )
    recommender = m2trec.load(run)
    measured.update(answer(recommender, sessions))
    # The first search prepares all later ones; likewise the first look-up of similar items.
    measured["first search"] = timed(recommender.search, [""])
    measured["similar"] = timed(recommender.similar, [item_id for item_id, _ in items])[1:]
    described = recommender.describe([item_id for item_id, _ in items])
    texts = [" ".join(item.title.split()[:2]) for item in described if item is not None]
    measured["search"] = timed(recommender.search, texts)
    unmet = [{**json.loads(raw), "item_id": f"new {item_id}"} for item_id, raw in items]
    first, *later = timed(lambda item: recommender.recommend([item], top_k=10), unmet)
    measured["first item by its attributes"] = [first]
    measured["recommend, an item by its attributes"] = later
    return measured


def answer(recommender: m2trec.LocalRecommender, sessions: list[list[str]]) -> dict[str, list[Spent]]:
    """Return the times of sessions of known items, one by one and in batches."""
    one_by_one = timed(lambda session: recommender.recommend(session, top_k=10), sessions)[_WARM_UP:]
    [(by_clock, of_processor)] = timed(lambda some: recommender.recommend_many(some, top_k=10), [sessions])
    each = by_clock / len(sessions), of_processor / len(sessions)
    return {"recommend": one_by_one, "recommend_many, a session": [each]}


@contextmanager
def on_one_core() -> Iterator[None]:
    """Pin this process, and those that it starts, to one core, if the system supports it."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def start(run: Path, item_id: str) -> list[Spent]:
    """Return the times of import, load and the first answer in a fresh process."""
    command = [sys.executable, "-c", _FRESH, str(run), item_id]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    lines = (line.split() for line in done.stdout.splitlines())
    return [(float(wall), float(cpu)) for wall, cpu in lines]


def timed(do: Callable[..., object], things: Sequence[object]) -> list[Spent]:
    """Return the time that `do` takes for each thing."""
    spent = []
    for thing in things:
        started = time.perf_counter(), time.process_time()
        do(thing)
        spent.append((time.perf_counter() - started[0], time.process_time() - started[1]))
    return spent
