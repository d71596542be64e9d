"""Cost of metrics and logs per request, in process, without Triton.

    python -m benchmarks observing --repository runs/NAME/triton

Both steps answer sessions of three known items. Systems that count and log differently take turns, request
by request, so that other load on the machine affects all of them equally. Background threads run as in a
server.
"""

from __future__ import annotations

import os
import statistics
import time
from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow.parquet as pq

from benchmarks.frame.parse import Parser
from benchmarks.frame.publish import Records, publish, table
from m2trec_merlin.contract.names import PREDICT, PREPROCESS
from m2trec_merlin.contract.repository import version_folder
from m2trec_merlin.contract.server_settings import ServerSettings
from m2trec_merlin.contract.version import CATALOGUE_IDS
from m2trec_merlin.serving.runtime.steps import PredictStep, PreprocessStep, Tensors
from m2trec_merlin.serving.runtime.tally import Series, Tally
from m2trec_merlin.serving.runtime.worker import Worker

Answer = Callable[[Sequence[Tensors]], object]

_WARM_UP = 50


def options(parser: Parser) -> None:
    parser.add_argument("--repository", type=Path, required=True, help="folder that `m2trec export` wrote")
    parser.add_argument("--rounds", type=int, default=2000, help="requests of each server")
    parser.add_argument("--batch", type=int, default=1, help="requests that arrive together")


def run(options: Namespace) -> None:
    first, second = (version_folder(options.repository, name) for name in (PREPROCESS, PREDICT))
    sessions = draw(first / CATALOGUE_IDS, options.rounds)
    # Serve the same model twice, to measure the cost of choosing between two.
    beside = ServerSettings(beside=str(options.repository), share=0.5)
    with TemporaryDirectory() as shown, Path(os.devnull).open("wb") as nowhere:
        workers = {
            "metrics": Workers(first, second, ServerSettings()),
            "metrics, a line a request": Workers(first, second, ServerSettings("all", nowhere.fileno())),
            "metrics, a row a request": Workers(first, second, ServerSettings(shown=shown)),
            "metrics, two models": Workers(first, second, beside),
        }
        systems: dict[str, Answer] = {"nothing": unobserved(first, second)}
        systems |= {name: each.answer for name, each in workers.items()}
        seconds = take_turns(systems, sessions, options.batch)
        for each in workers.values():
            each.close()
    records = Records(str(options.repository), options.stamp.commit)
    rows = []
    for name, values in seconds.items():
        cost = statistics.median(np.subtract(values, seconds["nothing"])) * 1000 / options.batch
        each = statistics.median(values) * 1000 / options.batch
        records.add(name, "milliseconds a request", round(each, 4), "ms")
        records.add(name, "of these for being observed", round(cost, 4), "ms")
        rows.append([name, f"{each:.3f}", f"{cost:.3f}"])
    parts = [table(["observed by", "ms a request", "more than by nothing"], rows)]
    title = f"What being observed costs, {options.batch} together, {options.rounds:,} rounds"
    print(publish(options.output, "observing", records, options.stamp, title=title, parts=parts))


class Workers:
    """Both steps as Triton's workers run them."""

    def __init__(self, first: Path, second: Path, settings: ServerSettings) -> None:
        self._first = Worker(PreprocessStep, first, settings, Nowhere())
        self._second = Worker(PredictStep, second, settings, Nowhere())

    def answer(self, requests: Sequence[Tensors]) -> object:
        ids = [""] * len(requests)
        read = [each for each in self._first.answer(requests, ids) if isinstance(each, dict)]
        return self._second.answer(read, ids)

    def close(self) -> None:
        self._first.close()
        self._second.close()


class Nowhere:
    """A `Sink` that drops everything."""

    def add(self, series: Series, amount: float) -> None:
        pass

    def set(self, series: Series, value: float) -> None:
        pass


class Deaf:
    """A replacement for a step's tally that counts nothing."""

    def count(self, metric: object, amount: float) -> None:
        pass


def unobserved(first: Path, second: Path) -> Answer:
    steps = PreprocessStep(first, Tally(), True), PredictStep(second, Tally(), True)
    for step in steps:
        vars(step)["tally"] = Deaf()

    def answer(requests: Sequence[Tensors]) -> object:
        read = [each for each in steps[0].answer(requests) if isinstance(each, dict)]
        return steps[1].answer(read)

    return answer


def take_turns(systems: dict[str, Answer], sessions: Sequence[Tensors], batch: int) -> dict[str, list[float]]:
    """Return the seconds of each round by system, without the warm-up."""
    seconds: dict[str, list[float]] = {name: [] for name in systems}
    for number, session in enumerate(sessions):
        # The first system changes each time, because the order affects caches.
        names = [*systems][number % len(systems) :] + [*systems][: number % len(systems)]
        for name in names:
            started = time.perf_counter()
            systems[name]([session] * batch)
            seconds[name].append(time.perf_counter() - started)
    return {name: values[_WARM_UP:] for name, values in seconds.items()}


def draw(ids: Path, rounds: int) -> list[Tensors]:
    """Return sessions of three items drawn at random, one per round, including the warm-up."""
    known = pq.read_table(ids).column("item_id").to_pylist()
    drawn = np.random.default_rng(0).integers(0, len(known), (rounds + _WARM_UP, 3))
    return [
        {
            "item_ids": np.array([[known[row].encode() for row in rows]], dtype=object),
            "options": np.array([[b'{"session_key": "%d"}' % number]], dtype=object),
        }
        for number, rows in enumerate(drawn)
    ]
