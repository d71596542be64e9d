"""Endurance of a server: minutes of load while items are added, with the memory after each minute.

    python -m benchmarks soak --repository runs/NAME/triton --data runs/NAME/data --rate 100 --minutes 20

Works on a copy of the repository. Requests are those of `benchmarks serving`, different ones each minute; a
share of them has an item that is not in the catalogue. Each minute begins with a `m2trec catalog add`. Memory
is the unshared memory of Triton and its workers. The first two minutes fill caches and are not compared.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import threading
from argparse import Namespace
from pathlib import Path
from typing import Any

from benchmarks.catalogue import add, memory_of_server, percentiles, write_tables
from benchmarks.frame.parse import Parser
from benchmarks.frame.publish import publish, table
from benchmarks.open_loop import ask
from benchmarks.serving import draw, raw_items, read_sessions
from m2trec_merlin.manifests import require_manifest
from m2trec_merlin.serving.server.ports import Ports
from m2trec_merlin.serving.server.process import TritonServer

_FIRST_COMPARED = 2


def options(parser: Parser) -> None:
    parser.add_export()
    parser.add_argument("--rate", type=float, default=100.0, help="requests a second")
    parser.add_argument("--minutes", type=int, default=20, help="of load, three at least")
    parser.add_argument("--seconds", type=float, default=60.0, help="that a minute takes")
    parser.add_argument("--raw-share", type=float, default=0.05, help="of requests with a new item")
    parser.add_argument("--items", type=int, default=100, help="that are added each minute")


def run(options: Namespace) -> None:
    exported = require_manifest(options.repository, "export")
    sessions, items = read_sessions(options.data), raw_items(options.data)
    count = max(1, int(options.rate * options.seconds))
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        repository = Path(shutil.copytree(options.repository, Path(folder) / "triton"))
        tables = write_tables(options.data, options.minutes, options.items, Path(folder))
        with TritonServer(repository, Ports.free()) as server:
            for minute, more in enumerate(tables):
                requests = draw(sessions, items, count, options.raw_share, seed=minute)
                adding = threading.Thread(target=add, args=(more, repository))
                adding.start()
                measured = ask(server.grpc_address, requests, options.rate, minute)
                adding.join()
                rows.append(
                    {
                        "minute": minute + 1,
                        "requests": count,
                        "failed": measured.failed,
                        **dict(zip(("p50_ms", "p90_ms", "p99_ms"), percentiles(measured), strict=True)),
                        "memory_mib": round(memory_of_server() / 2**20, 1),
                        "load_average": round(os.getloadavg()[0], 1),
                        "commit": options.stamp.commit,
                    }
                )
                print(json.dumps(rows[-1]), flush=True)
    grown = rows[-1]["memory_mib"] / rows[min(_FIRST_COMPARED, len(rows) - 1)]["memory_mib"] - 1
    failed, asked = (sum(row[name] for row in rows) for name in ("failed", "requests"))
    intro = (
        f"{exported['items']:,} items, {options.rate:g} requests a second, {options.raw_share:.0%} of them "
        f"with an item that the catalogue has never had, {options.items} items more each minute: {failed} of "
        f"{asked:,} requests failed, memory grew by {grown:.1%} from the third minute to the last."
    )
    heads = [name for name in rows[0] if name != "commit"]
    parts = [intro, table(heads, [[f"{row[name]}" for name in heads] for row in rows], left=1)]
    title = "Minutes of load"
    print(publish(options.output, "soak", rows, options.stamp, title=title, parts=parts))
