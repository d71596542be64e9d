"""Latency and throughput of an exported repository on this machine, through the real Triton over gRPC.

    python -m benchmarks serving --repository runs/complete_journey/triton --items runs/complete_journey/data

Sessions of 1 to 10 items are drawn from the catalogue. `known` asks by ids. `raw attributes` gives the last
item by its raw columns instead, as if the catalogue had never had it, so that NVTabular encodes it. Clients
are threads of this process and share the machine with the server, so these are upper bounds of the latency.
"""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import tritonclient.grpc as triton

from benchmarks.frame.parse import Parser
from benchmarks.frame.publish import Records, publish, table
from m2trec_merlin.serving.client import RecommendationClient, SessionItem
from m2trec_merlin.serving.contract.names import ENSEMBLE, PREDICT, PREPROCESS
from m2trec_merlin.serving.server.ports import Ports
from m2trec_merlin.serving.server.process import TritonServer

_LONGEST = 10
_WARM_UP = 200


def options(parser: Parser) -> None:
    parser.add_argument("--repository", type=Path, required=True, help="folder that `m2trec export` wrote")
    parser.add_argument("--items", type=Path, required=True, help="folder that `m2trec data` wrote")
    parser.add_argument("--requests", type=int, default=2000, help="requests a setting")


def run(options: Namespace) -> None:
    items = pq.read_table(options.items / "items.parquet").to_pylist()
    records, rows = Records(f"{len(items):,} items", options.stamp.commit), []
    with TritonServer(options.repository, Ports.free()) as server:
        # The first raw item waits for NVTabular; no later one does.
        measure(server.grpc_address, draw_sessions(items, 1, raw=True), 1)
        measure(server.grpc_address, draw_sessions(items, _WARM_UP, raw=False), 2)
        for raw in (False, True):
            count = options.requests // 10 if raw else options.requests
            sessions = draw_sessions(items, count, raw)
            for clients in (1, 8):
                before = batch_sizes(server.grpc_address)[PREDICT]
                seconds, rate = measure(server.grpc_address, sessions, clients)
                after = batch_sizes(server.grpc_address)[PREDICT]
                batch = (after[0] - before[0]) / (after[1] - before[1])
                p50, p99 = np.percentile(seconds * 1000, [50, 99])
                name = "raw attributes" if raw else "known"
                values = {
                    "p50": (p50, "ms"),
                    "p99": (p99, "ms"),
                    "a second": (rate, "1/s"),
                    "batch": (batch, "1"),
                }
                for measured, (value, unit) in values.items():
                    records.add(f"{name}, {clients} clients", measured, round(float(value), 2), unit)
                rows.append([name, f"{clients}", f"{p50:.2f}", f"{p99:.2f}", f"{rate:.0f}", f"{batch:.1f}"])
    parts = [
        f"{len(items):,} items, {options.requests} requests a line.",
        table(["", "clients", "p50 ms", "p99 ms", "a second", "batch"], rows, right=True),
    ]
    title = "Triton's answers over gRPC"
    print(publish(options.output, "serving", records, options.stamp, title=title, parts=parts))


def draw_sessions(items: Sequence[dict[str, Any]], count: int, raw: bool) -> list[list[SessionItem]]:
    """Draw sessions of items, each by its id; with `raw` the last one by its attributes."""
    generator = np.random.default_rng(0)
    sessions: list[list[SessionItem]] = []
    for length in generator.integers(1, _LONGEST + 1, count):
        drawn = [items[index] for index in generator.integers(0, len(items), length)]
        session: list[SessionItem] = [str(item["item_id"]) for item in drawn]
        if raw:
            session[-1] = {column: value for column, value in drawn[-1].items() if column != "item_id"}
        sessions.append(session)
    return sessions


def measure(address: str, sessions: list[list[SessionItem]], concurrency: int) -> tuple[np.ndarray, float]:
    """Return the seconds of each request, and requests per second."""
    shares = [sessions[start::concurrency] for start in range(concurrency)]

    def ask(share: list[list[SessionItem]]) -> list[float]:
        seconds = []
        with RecommendationClient(address, timeout=120) as client:
            for session in share:
                started = time.perf_counter()
                client.recommend(session)
                seconds.append(time.perf_counter() - started)
        return seconds

    started = time.perf_counter()
    with ThreadPoolExecutor(concurrency) as threads:
        seconds = [each for share in threads.map(ask, shares) for each in share]
    return np.array(seconds), len(sessions) / (time.perf_counter() - started)


def batch_sizes(address: str) -> dict[str, tuple[int, int]]:
    """Return requests and executions so far of each step: their ratio is the mean batch."""
    client = triton.InferenceServerClient(address)
    counts = {}
    for model in (ENSEMBLE, PREPROCESS, PREDICT):
        statistics = client.get_inference_statistics(model).model_stats[0]
        counts[model] = (statistics.inference_count, statistics.execution_count)
    return counts
