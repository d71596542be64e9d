"""Latency of exported repositories by rate of requests, through the real Triton over gRPC.

    python -m benchmarks serving --repository runs/NAME/triton --data runs/NAME/data --rates 200 1000

Sessions are drawn from the test split, without their last event; each rate is held for --seconds, after a
warm-up. Requests arrive as a Poisson process and do not wait for each other (open_loop.py). A share of
--raw-share of them gives the raw columns of the last item, as if it were not in the catalogue, so that
NVTabular encodes it. This process shares the machine with the server.
"""

from __future__ import annotations

import json
import os
from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from tritonclient.grpc.service_pb2 import ModelInferRequest

from benchmarks.frame.parse import Parser
from benchmarks.frame.publish import publish, table
from benchmarks.open_loop import ask, request
from m2trec_merlin.column_names import LISTED
from m2trec_merlin.contract.names import ITEM_ATTRIBUTES, ITEM_IDS, OPTIONS
from m2trec_merlin.errors import ConfigError
from m2trec_merlin.manifests import require_manifest
from m2trec_merlin.runs.folder import INTERACTIONS, ITEMS_FILE
from m2trec_merlin.serving.server.ports import Ports
from m2trec_merlin.serving.server.process import TritonServer

_WARM_UP = 300
_SEED = 0


def options(parser: Parser) -> None:
    parser.add_argument(
        "--repository", type=Path, nargs="+", required=True, help="folders that `m2trec export` wrote"
    )
    parser.add_argument("--data", type=Path, required=True, help="folder that `m2trec data` wrote")
    parser.add_argument(
        "--rates", type=float, nargs="+", default=[200.0, 400.0, 800.0], help="requests a second"
    )
    parser.add_argument("--seconds", type=float, default=20.0, help="that a rate is held")
    parser.add_argument("--raw-share", type=float, default=0.0, help="of requests with a new item")
    parser.add_argument("--system", default="m2trec", help="name of what is measured")


def run(options: Namespace) -> None:
    sessions = read_sessions(options.data)
    items = raw_items(options.data) if options.raw_share else {}
    rows: list[dict[str, Any]] = []
    for repository in options.repository:
        exported = require_manifest(repository, "export")
        with TritonServer(repository, Ports.free()) as server:
            # Only the first raw item has to wait for NVTabular to load.
            ask(server.grpc_address, draw(sessions, items, _WARM_UP, options.raw_share), 100.0, _SEED)
            for rate in options.rates:
                requests = draw(sessions, items, max(1, int(rate * options.seconds)), options.raw_share)
                load = os.getloadavg()[0]
                measured = ask(server.grpc_address, requests, rate, _SEED)
                p50, p90, p99 = (
                    [round(float(p) * 1000, 2) for p in np.percentile(measured.seconds, [50, 90, 99])]
                    if len(measured.seconds)
                    else [None] * 3
                )
                rows.append(
                    {
                        "system": options.system,
                        "items": exported["items"],
                        "index": exported["index"],
                        "rate": rate,
                        "raw_share": options.raw_share,
                        "p50_ms": p50,
                        "p90_ms": p90,
                        "p99_ms": p99,
                        "failed": measured.failed,
                        "requests": len(requests),
                        "recall_at_20": exported["recall_at_20"],
                        "sent_late_p99_ms": round(measured.late * 1000, 2),
                        "load_average": round(load, 1),
                        "commit": options.stamp.commit,
                    }
                )
                print(json.dumps(rows[-1]), flush=True)
    heads = [name for name in rows[0] if name not in ("system", "commit")]
    lines = [[f"{row[name]}" for name in heads] for row in rows]
    parts = [f"{options.seconds:g} seconds a rate, sessions of the test split.", table(heads, lines, left=2)]
    title = "Triton's answers over gRPC"
    print(publish(options.output, "serving", rows, options.stamp, title=title, parts=parts))


def read_sessions(data: Path) -> list[list[str]]:
    """Return the item ids of the test sessions without their last event; sessions of one event are dropped.

    Raises:
        ConfigError: the folder was not written by `m2trec data`.
    """
    files = sorted((data / INTERACTIONS / "test").glob("*.parquet"))
    if not files:
        raise ConfigError(
            f"--data {data} holds no {INTERACTIONS}/test: name the folder that `m2trec data` wrote"
        )
    sessions: list[list[str]] = []
    for file in files:
        events = pq.read_table(file, columns=["item_id", "position"])
        for item_id, position in zip(*(column.to_pylist() for column in events.columns), strict=True):
            if position == 0:
                sessions.append([])
            sessions[-1].append(str(item_id))
    return [session[:-1] for session in sessions if len(session) > 1]


def raw_items(data: Path) -> dict[str, str]:
    """Return the raw columns of each item as JSON, by its id."""
    items = pq.read_table(data / ITEMS_FILE)
    # The date of listing is not an attribute.
    items = items.drop_columns([name for name in items.column_names if name == LISTED])
    return {str(item.pop("item_id")): json.dumps(item) for item in items.to_pylist()}


def draw(
    sessions: list[list[str]], items: dict[str, str], count: int, raw_share: float, seed: int = _SEED
) -> list[ModelInferRequest]:
    """Return requests for random sessions, a share of which give the attributes of their last item."""
    generator = np.random.default_rng(seed)
    requests = []
    for index, raw in zip(generator.integers(0, len(sessions), count), generator.random(count), strict=True):
        tensors: dict[str, list[str]] = {ITEM_IDS: list(sessions[index]), OPTIONS: ["{}"]}
        if raw < raw_share:
            attributes = items[tensors[ITEM_IDS][-1]]
            tensors[ITEM_IDS][-1] = ""
            tensors[ITEM_ATTRIBUTES] = [""] * (len(sessions[index]) - 1) + [attributes]
        requests.append(request(tensors))
    return requests
