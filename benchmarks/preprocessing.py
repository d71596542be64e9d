"""Rows per second of the two NVTabular workflows, compared with pandas, polars and HuggingFace `tokenizers`.

    python -m benchmarks preprocessing                            # Complete Journey, on any machine
    python -m benchmarks preprocessing -c configs/instacart.yaml

In each contest, the results of all systems are first checked to be equal; then the systems take turns, and
the median of the turns counts. polars, Arrow and the tokenizer use two threads each.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Mapping
from functools import partial
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

# polars and the tokenizer read these when they are first used.
os.environ.update(POLARS_MAX_THREADS="2", RAYON_NUM_THREADS="2")

# isort: off
import m2trec_merlin.workflows  # noqa: F401  (ahead of Dask and Merlin, which it sets up)

# isort: on
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from merlin.dag import Graph
from nvtabular import ColumnSelector, Workflow

from benchmarks.frame.parse import Parser, read
from benchmarks.frame.prepare import Prepared, prepare
from benchmarks.frame.publish import Records, markdown, publish
from benchmarks.preprocessing_rivals import (
    categorify_pandas,
    categorify_polars,
    sessions_pandas,
    sessions_polars,
    tokenize_plainly,
    write_sessions_pandas,
    write_sessions_polars,
)
from m2trec_merlin.attributes.categories import RESERVED, Categories
from m2trec_merlin.attributes.subwords import SubwordTokenize
from m2trec_merlin.catalogue import ENCODED
from m2trec_merlin.columns import to_arrow
from m2trec_merlin.merlin_adapter import columns_without_copies, dataset_of_parts
from m2trec_merlin.preprocessing.items import workflow_columns
from m2trec_merlin.preprocessing.parts import find_parts, read_part
from m2trec_merlin.preprocessing.sessions import SessionsWriter
from m2trec_merlin.workflows.items import encode_items, items_workflow
from m2trec_merlin.workflows.sessions import EVENT_COLUMNS, sessions_workflow

OURS = "ours"
SESSIONS_OF_A_SMALL_PART = 20
SMALL_PARTS = 100

Systems = Mapping[str, Callable[[], Any]]


def options(parser: Parser) -> None:
    parser.add_config("configs/complete_journey.yaml")
    parser.add_argument("--repeats", type=int, default=9, help="turns of each system (default: 9)")


def run(options: Namespace) -> None:
    data = prepare(read(options))
    contest = Contest(Records(data.config.name, options.stamp.commit), options.repeats)
    with TemporaryDirectory() as folder:
        compare_items(contest, data, Path(folder))
        compare_sessions(contest, data, Path(folder))
    title = "Preprocessing beside pandas, polars and tokenizers"
    threads = f"polars: {pl.thread_pool_size()} threads; Arrow: {pa.cpu_count()}."
    parts = [threads, markdown(contest.records)]
    print(publish(options.output, "preprocessing", contest.records, options.stamp, title=title, parts=parts))


class Contest:
    """A contest in which systems take turns and are timed; the first system is ours."""

    def __init__(self, records: Records, repeats: int) -> None:
        self.records, self.repeats = records, repeats

    def run(self, task: str, systems: Systems, count: int, unit: str) -> None:
        """Time one task, which processes `count` things; `unit` is the unit of its rate."""
        seconds: dict[str, list[float]] = {name: [] for name in systems}
        for turn in range(1 + self.repeats):
            for name, system in systems.items():
                print(f"\r{task}: turn {turn} of {self.repeats}, {name:40}", end="", file=sys.stderr)
                started = time.perf_counter()
                system()
                # The first turn only warms up caches.
                if turn:
                    seconds[name].append(time.perf_counter() - started)
        print(file=sys.stderr)
        median = {name: statistics.median(times) for name, times in seconds.items()}
        ours = next(iter(median.values()))
        for name, value in median.items():
            ratio = round(value / ours, 3)
            self.records.add(name, f"{task}, time", round(value, 6), "s", ratio)
            self.records.add(name, f"{task}, {unit}", round(count / value), "1/s", ratio)


def compare_items(contest: Contest, data: Prepared, folder: Path) -> None:
    """Compare text and categories, separately and together; attributes of other kinds are left out."""
    attributes = [a for a in data.config.attributes if a.kind in ("text", "categorical")]
    path = data.run.items
    frame = pq.read_table(path, columns=workflow_columns(attributes)).to_pandas(integer_object_nulls=True)
    workflow = items_workflow(attributes, folder / "vocabularies")
    workflow.fit(dataset_of_parts([path], workflow_columns(attributes)))
    in_polars = pl.from_pandas(frame)
    texts = {a.name: a.source_column for a in attributes if a.kind == "text"}
    operators = {name: n.op for n in _nodes(workflow, SubwordTokenize) for name in n.output_columns.names}
    for name, column in texts.items():
        operator, renamed = operators[name], frame[[column]].set_axis([name], axis=1)
        selector = ColumnSelector([name])
        tokenizer = operator.tokenizer(name)
        lists = to_arrow(operator.transform(selector, renamed)[name])
        values, offsets = tokenize_plainly(tokenizer, frame[column])
        require_equal(f"tokens of {name}", lists.values.to_numpy(), values)
        require_equal(f"lengths of {name}", lists.offsets.to_numpy(), offsets)
        systems = {
            f"{OURS}, SubwordTokenize": partial(operator.transform, selector, renamed),
            "tokenizers": partial(tokenize_plainly, tokenizer, frame[column]),
        }
        contest.run(f"tokenise {name}", systems, len(frame), "texts/s")

    vocabularies = {
        name: {value: i + len(RESERVED) for i, value in enumerate(node.op.values(name))}
        for node in _nodes(workflow, Categories)
        for name in node.output_columns.names
    }
    source = {a.name: a.source_column for a in attributes}
    nodes = [
        (n.parents[0].op, n.op, ColumnSelector([n.output_columns.names[0]]))
        for n in _nodes(workflow, Categories)
    ]

    def ours() -> dict[str, np.ndarray]:
        columns = {}
        for as_text, categories, selector in nodes:
            name = selector.names[0]
            text = as_text.transform(selector, frame[[source[name]]].set_axis([name], axis=1))
            columns[name] = categories.transform(selector, text)[name].to_numpy()
        return columns

    def categorify(by: Callable[[Any, Any], np.ndarray], table: Any) -> dict[str, np.ndarray]:
        return {n: by(table[source[n]], v) for n, v in vocabularies.items()}

    rivals = {
        "pandas": partial(categorify, categorify_pandas, frame),
        "polars": partial(categorify, categorify_polars, in_polars),
    }

    def whole(rival: str) -> None:
        rivals[rival]()
        for tokenizer, column in tokenizers:
            tokenize_plainly(tokenizer, frame[column])

    tokenizers = [(operators[name].tokenizer(name), column) for name, column in texts.items()]
    if vocabularies:
        expected = ours()
        for rival, system in rivals.items():
            for name, values in system().items():
                require_equal(f"{name} in {rival}", values, expected[name])
        contest.run("categorify", {f"{OURS}, AsText and Categories": ours, **rivals}, len(frame), "items/s")
    together: Systems = {
        f"{OURS}, NVTabular workflow": lambda: encode_items(workflow, frame),
        "tokenizers and pandas": partial(whole, "pandas"),
        "tokenizers and polars": partial(whole, "polars"),
    }
    contest.run("items workflow", together, len(frame), "items/s")


def _nodes(workflow: Workflow, kind: type) -> list[Any]:
    return Graph.get_nodes_by_op_type([workflow.output_node], kind)


def compare_sessions(contest: Contest, data: Prepared, folder: Path) -> None:
    """Compare training sessions, from file to file and in memory, and many small parts."""
    config = data.config
    items = data.run.catalogue / ENCODED
    rows = pq.read_table(items, columns=["item_id"]).to_pandas()
    rows["row"] = np.arange(1, len(rows) + 1, dtype=np.int64)
    rows_polars = pl.from_pandas(rows)
    parts = find_parts(data.run.data, "train")
    limits = config.data.min_session_length, data.max_length
    schema = dataset_of_parts(parts[:1], EVENT_COLUMNS).schema
    outputs = [folder / name for name in ("ours", "pandas", "polars")]
    for output in outputs:
        output.mkdir()

    def ours() -> None:
        writer = SessionsWriter(sessions_workflow(rows, *limits).fit_schema(schema))
        for part in parts:
            writer.write(part, outputs[0] / part.name)

    systems: Systems = {
        f"{OURS}, NVTabular workflow": ours,
        "pandas": lambda: write_sessions_pandas(parts, outputs[1], rows, *limits),
        "polars": lambda: write_sessions_polars(parts, outputs[2], rows_polars, *limits),
    }
    for system in systems.values():
        system()
    expected = read_sessions(outputs[0])
    for output in outputs[1:]:
        if not read_sessions(output).equals(expected):
            raise SystemExit(f"{output.name} gives other sessions: nothing is timed")
    n_events = sum(pq.read_metadata(part).num_rows for part in parts)
    contest.run("sessions, file to file", systems, n_events, "events/s")

    workflow = sessions_workflow(rows, *limits).fit_schema(schema)
    events = read_part(parts[0], EVENT_COLUMNS)
    plain, in_polars = pd.read_parquet(parts[0], columns=list(EVENT_COLUMNS)), pl.read_parquet(parts[0])
    systems = {
        f"{OURS}, NVTabular workflow": lambda: _transform(workflow, events),
        "pandas": lambda: sessions_pandas(plain, rows, *limits),
        "polars": lambda: sessions_polars(in_polars, rows_polars, *limits),
    }
    contest.run("sessions of a part, in memory", systems, len(events), "events/s")
    compare_small_parts(contest, workflow, events, folder / "small")


def _transform(workflow: Workflow, events: pd.DataFrame) -> pd.DataFrame:
    with columns_without_copies():
        return workflow.transform(events)


def compare_small_parts(contest: Contest, workflow: Workflow, events: pd.DataFrame, folder: Path) -> None:
    """Compare the cost of a part apart from its rows, in memory and from file to file."""
    folder.mkdir()
    number = events["session_id"].factorize()[0]
    bounds = np.searchsorted(number, SESSIONS_OF_A_SMALL_PART * np.arange(SMALL_PARTS + 1))
    frames = [events.iloc[a:b].reset_index(drop=True) for a, b in pairwise(bounds) if a < b]
    files = [folder / f"part-{i:05d}.parquet" for i in range(len(frames))]
    for frame, file in zip(frames, files, strict=True):
        frame.to_parquet(file)
    node, chain = workflow.output_node, []
    while node.parents:
        chain.append((node.op, node.input_columns))
        node = node.parents[0]

    def operators_alone() -> None:
        with columns_without_copies():
            for frame in frames:
                for operator, selector in reversed(chain):
                    frame = operator.transform(selector, frame)

    systems: Systems = {
        f"{OURS}, NVTabular workflow": lambda: [_transform(workflow, frame) for frame in frames],
        "operators called directly": operators_alone,
    }
    contest.run(f"{len(frames)} small parts, in memory", systems, len(frames), "parts/s")

    def one_task_each() -> None:
        writer = SessionsWriter(workflow)
        for file in files:
            writer.write(file, folder / "out.parquet")

    def merlin_dataset() -> None:
        ddf = workflow.transform(dataset_of_parts(files, EVENT_COLUMNS)).to_ddf()
        for task in ddf.to_delayed():
            sessions = task.compute(scheduler="synchronous")
            table = pa.table({name: to_arrow(sessions[name]) for name in ("session_id", "row_list")})
            pq.write_table(table, folder / "out.parquet")

    systems = {f"{OURS}, a task a part": one_task_each, "a Merlin Dataset of all parts": merlin_dataset}
    contest.run(f"{len(frames)} small parts, file to file", systems, len(frames), "parts/s")


def read_sessions(folder: Path) -> pa.Table:
    """Read written sessions, sorted by id."""
    table = pa.concat_tables(
        [pq.read_table(part).select(["session_id", "row"]) for part in sorted(folder.iterdir())]
    )
    table = table.set_column(1, "row", table["row"].cast(pa.list_(pa.int64()))).replace_schema_metadata()
    identity = table["session_id"]
    if pa.types.is_large_string(identity.type):
        table = table.set_column(0, "session_id", identity.cast(pa.string()))
    return table.sort_by("session_id").combine_chunks()


def require_equal(what: str, found: np.ndarray, expected: np.ndarray) -> None:
    """Stop unless two arrays are equal."""
    if not np.array_equal(found, expected):
        raise SystemExit(f"{what} differ: nothing is timed")
