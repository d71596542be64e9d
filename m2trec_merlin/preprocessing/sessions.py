"""Turn the interactions of each split into sessions of catalogue rows, part by part."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from dask import delayed
from merlin.dag import Graph
from nvtabular import Workflow

from m2trec_merlin.artifacts import reading
from m2trec_merlin.catalogue import ENCODED
from m2trec_merlin.config import Config
from m2trec_merlin.data.session_length import longest_session
from m2trec_merlin.errors import DataError
from m2trec_merlin.merlin_adapter import columns_without_copies, dataset_of_parts
from m2trec_merlin.preprocessing.cluster import run
from m2trec_merlin.preprocessing.device import frames_on
from m2trec_merlin.preprocessing.parts import find_parts
from m2trec_merlin.progress import SILENT, Progress
from m2trec_merlin.readers.canonical import SPLITS
from m2trec_merlin.workflows.sessions import EVENT_COLUMNS, JoinRows, sessions_workflow

#: What the manifest calls the length that training sessions were cut to.
LONGEST_SESSION = "max_session_length"


def build_sessions(
    config: Config,
    data: Path,
    catalogue: Path,
    output: Path,
    client: Any = None,
    progress: Progress = SILENT,
    device: str = "cpu",
    longest_trained: int | None = None,
) -> dict[str, Any]:
    """Write the sessions of each split, in rows of a finished catalogue.

    Args:
        config: `data.min_session_length` and `data.max_session_length` are used.
        data: folder that `m2trec data` wrote.
        catalogue: folder that `build_catalogue` wrote.
        output: folder to write `train`, `valid` and `test` into.
        client: of the Dask cluster to run on; None runs in this process.
        progress: is told about each part of the work.
        device: `cpu` or `cuda`.
        longest_trained: what training sessions are cut to; None: as configured, or as the data suggest.

    Returns:
        For each split: sessions, events, and events of unknown items, which were dropped; of training also
        the length that sessions were cut to.

    Raises:
        DataError: a part of the interactions holds no item of the catalogue.
    """
    items = pq.read_table(catalogue / ENCODED, columns=["item_id"]).to_pandas()
    rows = items.assign(row=np.arange(1, len(items) + 1, dtype=np.int64))
    facts = {}
    for split in SPLITS:
        parts = find_parts(data, split)
        longest = (longest_trained or longest_session(config, data)) if split == "train" else None
        workflow = sessions_workflow(rows, config.data.min_session_length, longest)
        with reading(parts[0], "data"):
            workflow.fit_schema(dataset_of_parts(parts[:1], EVENT_COLUMNS).schema)
        folder = output / split
        folder.mkdir(parents=True)
        # Whole tasks of our own, one a part: with a Merlin Dataset, every task would carry the graph of all.
        shared, write = delayed(workflow), delayed(write_part)
        tasks = [write(shared, str(part), str(folder / part.name), device) for part in parts]
        written = run(tasks, client, f"sessions, {split}", progress)
        names = ("sessions", "events", "unknown_items_dropped")
        facts[split] = dict(zip(names, map(sum, zip(*written, strict=True)), strict=True))
        if longest is not None:
            facts[split][LONGEST_SESSION] = longest
    return facts


def write_part(workflow: Workflow, source: str, target: str, device: str = "cpu") -> tuple[int, int, int]:
    """Write the sessions of one part of the interactions.

    Args:
        workflow: from `sessions_workflow`, its schema fitted.
        source: file of events.
        target: file of sessions.
        device: `cpu` or `cuda`.

    Returns:
        How many sessions and events were written, and how many events of unknown items were dropped.

    Raises:
        DataError: no event is of a known item.
    """
    frames = frames_on(device)
    with reading(Path(source), "data"):
        events = frames.read(Path(source), EVENT_COLUMNS, categories=True)
    [join] = Graph.get_nodes_by_op_type([workflow.output_node], JoinRows)
    unknown = join.op.count_unknown(events)
    if unknown == len(events):
        raise DataError(source, ["holds no item of the catalogue: run `m2trec data --force`"])
    with columns_without_copies():
        sessions = workflow.transform(events)
    rows = frames.to_host(sessions["row_list"]).cast(pa.list_(pa.int64()))
    table = pa.table({"session_id": frames.to_host(sessions["session_id"]), "row": rows})
    # Session ids hardly repeat: a dictionary of them is only thrown away.
    pq.write_table(table, target, use_dictionary=["row.list.element"])
    return len(table), len(rows.flatten()), unknown
