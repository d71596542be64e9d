"""Turn the interactions of each split into sessions of catalogue rows, part by part."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from dask import delayed
from merlin.dag import Graph
from nvtabular import Workflow

from m2trec_merlin.artifacts import reading
from m2trec_merlin.catalogue import ENCODED
from m2trec_merlin.column_names import ITEM_ID, SESSION_ID, TARGET
from m2trec_merlin.config import Config
from m2trec_merlin.data.event_columns import canonical_attributes
from m2trec_merlin.data.session_length import CUT_EVENTS, LONGEST_SESSION
from m2trec_merlin.encoded import Field, Layout
from m2trec_merlin.errors import DataError
from m2trec_merlin.merlin_adapter import columns_without_copies, dataset_of_parts
from m2trec_merlin.preprocessing.continuing import EarlierRun, longest_training_session
from m2trec_merlin.preprocessing.device import frames_on
from m2trec_merlin.preprocessing.event_attributes import EVENT_VOCABULARIES, save_events, start_events
from m2trec_merlin.preprocessing.fitting import fit_workflow
from m2trec_merlin.preprocessing.parts import find_parts
from m2trec_merlin.preprocessing.trained_before import leave_out_trained
from m2trec_merlin.preprocessing.workers import Workers
from m2trec_merlin.readers.canonical import SPLITS
from m2trec_merlin.runs.folder import EVENTS_WORKFLOW, TRAINED_BEFORE
from m2trec_merlin.sessions import IS_TARGET, Sessions, event_metadata
from m2trec_merlin.workflows.sessions import EVENT_COLUMNS, JoinRows, sessions_workflow
from m2trec_merlin.workflows.storage import read_learned

#: Names of the counts of each split.
_COUNTED = ("sessions", "events", "unknown_items_dropped")


def build_sessions(
    config: Config,
    data: Path,
    catalogue: Path,
    output: Path,
    workers: Workers,
    start: EarlierRun | None,
) -> dict[str, Any]:
    """Write the sessions of each split, as rows of a finished catalogue.

    Args:
        config: the configuration; event attributes and the settings of `data` about sessions are used.
        data: folder that `m2trec data` wrote.
        catalogue: folder that `build_catalogue` wrote.
        output: folder to write `train`, `valid` and `test` into.
        workers: the workers that write the parts.
        start: results of an earlier run, whose vocabularies are extended; training sessions are cut to its
            length, and what it was trained on is no target. Without it, they are cut as configured, or as the
            data suggest.

    Returns:
        For each split, the numbers of sessions, of events, and of dropped events of unknown items; for
        training also the length that sessions were cut to, the number of events cut, and the sizes of
        vocabularies of events; for held out sessions also how many hold events that the earlier run was
        trained on, if any do.

    Raises:
        ArtifactError: the earlier run has other attributes of events, or was trained on all targets of a
            split.
        DataError: no event of a split may be a target, or a part of the interactions holds no
            item of the catalogue.
    """
    items = pq.read_table(catalogue / ENCODED, columns=[ITEM_ID]).to_pandas()
    rows = items.assign(row=np.arange(1, len(items) + 1, dtype=np.int64))
    attributes = canonical_attributes(config.event_attributes)
    targets = [TARGET] if config.data.targets else []
    columns = [*EVENT_COLUMNS, *(attribute.name for attribute in attributes), *targets]
    facts: dict[str, Any] = {}
    fields: list[Field] = []
    output.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=output, prefix=".vocabularies.") as storage:
        for split in SPLITS:
            parts = find_parts(data, split)
            longest = None
            if split == "train":
                longest = longest_training_session(config, data, start)
            shortest = config.data.min_session_length
            workflow = sessions_workflow(rows, shortest, longest, attributes, targets, Path(storage))
            with reading(parts[0], "data"):
                workflow.fit_schema(dataset_of_parts(parts[:1], columns).schema)
            if attributes and split == "train":
                extended = None if start is None else start.folder.events_workflow
                start_events(workflow, attributes, extended)
                fit_workflow(workflow, parts, columns, workers)
                fields = save_events(workflow, attributes, output)
            elif attributes:
                read_learned(workflow, output / EVENTS_WORKFLOW)
            folder = output / split
            folder.mkdir(parents=True)
            # One task of our own per part: with a Merlin Dataset, each task would carry the graph of all.
            shared, write = delayed(workflow), delayed(write_part)
            names = [(str(part), str(folder / part.name)) for part in parts]
            tasks = [write(shared, *each, workers.device, fields, targets) for each in names]
            written = workers.run(tasks, f"sessions, {split}")
            *counts, cut, prefixes = map(sum, zip(*written, strict=True))
            facts[split] = dict(zip(_COUNTED, counts, strict=True))
            if targets and not prefixes:
                raise DataError(
                    str(data), [f"no event of the {split} sessions may be a target (data.targets)"]
                )
            if longest is not None:
                facts[split] |= {LONGEST_SESSION: longest, CUT_EVENTS: cut}
    if sizes := {field.name: field.size for field in fields if field.layout.has_vocabulary}:
        facts["train"][EVENT_VOCABULARIES] = sizes
    if start is not None:
        before = leave_out_trained(output, catalogue, start, config.data.split.is_nested)
        for split, count in before.items():
            facts[split][TRAINED_BEFORE] = count
    return facts


def write_part(
    workflow: Workflow,
    source: str,
    target: str,
    device: str = "cpu",
    fields: Sequence[Field] = (),
    targets: Sequence[str] = (),
) -> tuple[int, int, int, int, int]:
    """Write the sessions of one part of the interactions.

    Args:
        workflow: a workflow from `sessions_workflow`, its schema fitted.
        source: file of events.
        target: file of sessions to write.
        device: `cpu` or `cuda`.
        fields: fields of the encoded attributes of events.
        targets: name of the column that tells which events may be targets, if there is one.

    Returns:
        The numbers of sessions and events written, of events of unknown items dropped, of events cut, and of
        prefixes that have a target (0 without `targets`).

    Raises:
        DataError: no event has a known item.
    """
    frames = frames_on(device)
    with reading(Path(source), "data"):
        columns = [*EVENT_COLUMNS, *(field.name for field in fields), *targets]
        events = frames.read(Path(source), columns, categories=True)
    [join] = Graph.get_nodes_by_op_type([workflow.output_node], JoinRows)
    unknown = join.op.count_unknown(events)
    if unknown == len(events):
        raise DataError(source, ["holds no item of the catalogue: run `m2trec data --force`"])
    with columns_without_copies():
        sessions = workflow.transform(events)
    rows = frames.to_host(sessions["row_list"]).cast(pa.list_(pa.int64()))
    table = pa.table({SESSION_ID: frames.to_host(sessions[SESSION_ID]), "row": rows})
    for field in fields:
        lists = frames.to_host(sessions[f"{field.name}_list"])
        table = table.append_column(field.name, lists.cast(pa.list_(field.arrow_type)))
    for column in targets:
        lists = frames.to_host(sessions[f"{column}_list"])
        table = table.append_column(IS_TARGET, lists.cast(pa.list_(pa.bool_())))
    # Session ids hardly repeat, so a dictionary of them would be built in vain.
    repeated = ["row", *(field.name for field in fields if field.layout is Layout.IDS)]
    table = table.replace_schema_metadata(event_metadata(fields))
    pq.write_table(table, target, use_dictionary=[f"{name}.list.element" for name in repeated])
    n_events = len(rows.flatten())
    before_cutting = frames.to_host(sessions["row_count"]).to_numpy(zero_copy_only=False)
    return (
        len(table),
        n_events,
        unknown,
        int(before_cutting.sum()) - n_events,
        Sessions.read([Path(target)]).n_prefixes if targets else 0,
    )
