"""Change the catalogue of an exported repository while the real Triton answers over gRPC.

    python -m benchmarks catalogue --repository runs/NAME/triton --data runs/NAME/data

Works on a copy of the repository: repeated commands `m2trec catalog add` under load, each timed from its
start until the server recommends from the new version; then a rollback; then many versions that change one
item, with the memory of Triton and its workers before and after. Requests are those of `benchmarks serving`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil

from benchmarks.frame.parse import Parser
from benchmarks.frame.publish import publish, table
from benchmarks.open_loop import Measured, ask
from benchmarks.serving import draw, read_sessions
from m2trec_merlin.manifests import require_manifest
from m2trec_merlin.runs.folder import ITEMS_FILE
from m2trec_merlin.serving.catalogue.run import CatalogueVerbs
from m2trec_merlin.serving.client import RecommendationClient
from m2trec_merlin.serving.server.ports import Ports
from m2trec_merlin.serving.server.process import TritonServer

_WARM_UP, _SEED = 300, 0
_LONGEST_WAIT = 60.0


def options(parser: Parser) -> None:
    parser.add_export()
    parser.add_argument("--rate", type=float, default=100.0, help="requests a second")
    parser.add_argument("--seconds", type=float, default=60.0, help="of load")
    parser.add_argument("--adds", type=int, default=10, help="`catalog add` during that time")
    parser.add_argument("--items", type=int, default=1000, help="that each of them adds")
    parser.add_argument("--versions", type=int, default=100, help="that follow, for memory")


def run(options: Namespace) -> None:
    exported = require_manifest(options.repository, "export")
    requests = draw(read_sessions(options.data), {}, int(options.rate * options.seconds), 0.0)
    with tempfile.TemporaryDirectory() as folder:
        repository = Path(shutil.copytree(options.repository, Path(folder) / "triton"))
        tables = write_tables(options.data, options.adds, options.items, Path(folder))
        with TritonServer(repository, Ports.free()) as server:
            ask(server.grpc_address, requests[:_WARM_UP], 100.0, _SEED)
            before = ask(server.grpc_address, requests, options.rate, _SEED)
            load, measured = os.getloadavg()[0], []
            asking = threading.Thread(
                target=lambda: measured.append(ask(server.grpc_address, requests, options.rate, _SEED))
            )
            asking.start()
            waits = add_one_by_one(repository, tables, server.grpc_address, options.seconds * 0.8)
            rolled_back = time_rollback(repository, server.grpc_address)
            asking.join()
            memory = memory_of_versions(repository, server.grpc_address, options.versions)
    row: dict[str, Any] = {
        "items": exported["items"],
        "rate": options.rate,
        "requests": len(requests),
        "failed": measured[0].failed,
        "adds": len(waits),
        "items_each": options.items,
        "seconds_until_recommended": [round(wait, 2) for wait in waits],
        "rollback_seconds": round(rolled_back, 2),
        "quiet_ms": percentiles(before),
        "changing_ms": percentiles(measured[0]),
        "versions": options.versions,
        "memory_mib": [round(each / 2**20, 1) for each in memory],
        "load_average": round(load, 1),
        "commit": options.stamp.commit,
    }
    said = {
        "requests failed": f"{row['failed']} of {row['requests']:,}",
        f"until {options.items:,} added items are recommended": f"{max(waits):.1f} s at most",
        "rollback, until it is served": f"{rolled_back:.1f} s",
        "p50 / p90 / p99 ms without changes": " / ".join(map(str, row["quiet_ms"])),
        "the same while the catalogue changes": " / ".join(map(str, row["changing_ms"])),
        f"memory after {options.versions} more versions": " to ".join(f"{m} MiB" for m in row["memory_mib"]),
    }
    intro = (
        f"{exported['items']:,} items, {options.rate:g} requests a second for {options.seconds:g} seconds."
    )
    parts = [intro, table(["what", "measured"], [[name, text] for name, text in said.items()], left=2)]
    title = "A catalogue that changes while it is served"
    print(publish(options.output, "catalogue", [row], options.stamp, title=title, parts=parts))


def write_tables(data: Path, count: int, size: int, folder: Path) -> list[Path]:
    """Write `count` tables of `size` new items each, which are existing items under other ids."""
    items = pd.read_parquet(data / ITEMS_FILE)
    generator, tables = np.random.default_rng(_SEED), []
    for number in range(count):
        chosen = items.iloc[generator.choice(len(items), size, replace=False)]
        ids = pd.Index([f"new-{number}-{place}" for place in range(size)])
        tables.append(folder / f"new-{number}.parquet")
        chosen.assign(item_id=ids).to_parquet(tables[-1], index=False)
    return tables


def add_one_by_one(repository: Path, tables: list[Path], address: str, seconds: float) -> list[float]:
    """Add each table with a command, spread over `seconds`; return the time until each was served."""
    waits, start = [], time.monotonic()
    with RecommendationClient(address) as client:
        for number, items in enumerate(tables):
            time.sleep(max(0.0, start + number * seconds / len(tables) - time.monotonic()))
            began = time.monotonic()
            add(items, repository)
            while client.recommend([f"new-{number}-0"]).warnings:
                assert time.monotonic() - began < _LONGEST_WAIT, "the new items are not served"
                time.sleep(0.02)
            waits.append(time.monotonic() - began)
    return waits


def add(items: Path, repository: Path) -> None:
    """Add a table of items with a command."""
    command = [sys.executable, "-m", "m2trec_merlin", "catalog", "add", str(items), "--run", str(repository)]
    subprocess.run(command, check=True, capture_output=True)


def time_rollback(repository: Path, address: str) -> float:
    """Return the seconds until the version before the current one is served again."""
    began = time.monotonic()
    version = CatalogueVerbs(repository).rollback()
    wait_for(address, version.number)
    return time.monotonic() - began


def memory_of_versions(repository: Path, address: str, count: int) -> tuple[int, int]:
    """Return the unshared bytes of Triton and its workers after one version, and after `count` more."""
    verbs, held = CatalogueVerbs(repository), []
    item_id = verbs.versions.exported_ids[0]
    for number in range(count + 1):
        version = verbs.hide([item_id], hidden=number % 2 == 0)
        wait_for(address, version.number)
        if number in (0, count):
            held.append(memory_of_server())
    return held[0], held[-1]


def memory_of_server() -> int:
    """Return the unshared bytes of Triton and its workers, which are the children of this process."""
    return sum(each.memory_full_info().uss for each in psutil.Process().children(recursive=True))


def wait_for(address: str, number: int) -> None:
    """Wait until a version is served."""
    deadline = time.monotonic() + _LONGEST_WAIT
    with RecommendationClient(address) as client:
        while client.recommend([]).about.catalogue != str(number):
            assert time.monotonic() < deadline, f"version {number} is not served"
            time.sleep(0.02)


def percentiles(measured: Measured) -> list[float]:
    """Return p50, p90 and p99 in milliseconds."""
    return [round(float(p) * 1000, 1) for p in np.percentile(measured.seconds, [50, 90, 99])]
