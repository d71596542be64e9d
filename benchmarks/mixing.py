"""Cost of the mixture with neighbours per request, in process, without Triton.

    python -m benchmarks mixing --repository mixed/triton alone/triton

Both steps answer sessions of three known items drawn at random. The repositories, exports of one run with and
without `serving.mixture.kind=off`, hold the same items. They take turns, request by request, so that other
load on the machine affects all of them equally.
"""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import numpy as np

from benchmarks.frame.parse import Parser
from benchmarks.frame.publish import Records, publish, table
from benchmarks.observing import draw, take_turns, unobserved
from m2trec_merlin.contract.names import PREDICT, PREPROCESS
from m2trec_merlin.contract.repository import version_folder
from m2trec_merlin.contract.version import CATALOGUE_IDS, Description

PERCENTILES = (10, 50, 90, 99)


def options(parser: Parser) -> None:
    parser.add_argument(
        "--repository", type=Path, nargs="+", required=True, help="folders that `m2trec export` wrote"
    )
    parser.add_argument("--rounds", type=int, default=500, help="requests of each")


def run(options: Namespace) -> None:
    folders = {
        str(each): [version_folder(each, name) for name in (PREPROCESS, PREDICT)]
        for each in options.repository
    }
    sessions = draw(next(iter(folders.values()))[0] / CATALOGUE_IDS, options.rounds)
    systems = {name: unobserved(*steps) for name, steps in folders.items()}
    records = Records(", ".join(folders), options.stamp.commit)
    rows = []
    for name, seconds in take_turns(systems, sessions, 1).items():
        mixture = Description.open(folders[name][1]).mixture
        said = ", ".join(f"{weight} {value:g}" for weight, value in mixture.items() if value) or "off"
        values = np.percentile(np.array(seconds) * 1000, PERCENTILES)
        for percentile, value in zip(PERCENTILES, values, strict=True):
            records.add(name, f"milliseconds a request, p{percentile}", round(float(value), 3), "ms")
        rows.append([name, said, *(f"{value:.2f}" for value in values)])
    headings = ["repository", "mixture", *(f"p{percentile} ms" for percentile in PERCENTILES)]
    title = f"What the mixture costs a request, {options.rounds:,} rounds"
    print(
        publish(options.output, "mixing", records, options.stamp, title=title, parts=[table(headings, rows)])
    )
