"""Turn the interactions of each split into sessions of catalogue rows, part by part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

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
from m2trec_merlin.data.session_length import CUT_EVENTS
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
from m2trec_merlin.runs.settings import LONGEST_SESSION
from m2trec_merlin.sessions import IS_TARGET, Sessions, event_metadata
from m2trec_merlin.workflows.sessions import EVENT_COLUMNS, JoinRows, sessions_workflow
from m2trec_merlin.workflows.storage import read_learned


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
            longest = longest_training_session(config, data, start) if split == "train" else None
            shortest = config.data.min_session_length
            workflow = sessions_workflow(rows, shortest, longest, attributes, targets, Path(storage))
            with reading(parts[0], "data"):
                workflow.fit_schema(dataset_of_parts(parts[:1], columns).schema)
            if attributes and split == "train":
                extended = None if start is None else start.folder.events_workflow
                start_events(workflow, attributes, extended)
                fit_workflow(workflow, parts, columns, workers, longest)
                fields = save_events(workflow, attributes, output)
            elif attributes:
                read_learned(workflow, output / EVENTS_WORKFLOW)
            writer = SessionsWriter(workflow, fields, targets, workers.device)
            written = writer.write_all(parts, output / split, workers)
            if targets and not written.prefixes:
                raise DataError(
                    str(data), [f"no event of the {split} sessions may be a target (data.targets)"]
                )
            facts[split] = {
                "sessions": written.sessions,
                "events": written.events,
                "unknown_items_dropped": written.unknown,
            }
            if longest is not None:
                facts[split] |= {LONGEST_SESSION: longest, CUT_EVENTS: written.cut}
    if sizes := {field.name: field.size for field in fields if field.layout.has_vocabulary}:
        facts["train"][EVENT_VOCABULARIES] = sizes
    if start is not None:
        before = leave_out_trained(output, catalogue, start, config.data.split.is_nested)
        for split, count in before.items():
            facts[split][TRAINED_BEFORE] = count
    return facts


class Written(NamedTuple):
    """Counts of what was written.

    Attributes:
        sessions: sessions written.
        events: their events.
        unknown: events of unknown items, which were dropped.
        cut: events that were cut off long sessions.
        prefixes: prefixes that have a target; 0 if all events may be targets.
    """

    sessions: int
    events: int
    unknown: int
    cut: int
    prefixes: int


@dataclass(frozen=True)
class SessionsWriter:
    """Writes the interactions of a split as sessions.

    Attributes:
        workflow: a workflow from `sessions_workflow`, its schema fitted.
        fields: fields of the encoded attributes of events.
        targets: name of the column that tells which events may be targets, if there is one.
        device: `cpu` or `cuda`.
    """

    workflow: Workflow
    fields: Sequence[Field] = ()
    targets: Sequence[str] = ()
    device: str = "cpu"

    def write_all(self, parts: Sequence[Path], folder: Path, workers: Workers) -> Written:
        """Write the sessions of all parts into a new folder, named as the split.

        Raises:
            DataError: no event of a part has a known item.
        """
        folder.mkdir(parents=True)
        # One task of our own per part: with a Merlin Dataset, each task would carry the graph of all.
        shared = delayed(self)
        tasks = [shared.write(part, folder / part.name) for part in parts]
        written = workers.run(tasks, f"sessions, {folder.name}")
        return Written(*map(sum, zip(*written, strict=True)))

    def write(self, source: Path, target: Path) -> Written:
        """Write the sessions of one part of the interactions.

        Args:
            source: file of events.
            target: file of sessions to write.

        Raises:
            DataError: no event has a known item.
        """
        frames = frames_on(self.device)
        with reading(source, "data"):
            columns = [*EVENT_COLUMNS, *(field.name for field in self.fields), *self.targets]
            events = frames.read(source, columns, categories=True)
        [join] = Graph.get_nodes_by_op_type([self.workflow.output_node], JoinRows)
        unknown = join.op.count_unknown(events)
        if unknown == len(events):
            raise DataError(str(source), ["holds no item of the catalogue: run `m2trec data --force`"])
        with columns_without_copies():
            sessions = self.workflow.transform(events)
        rows = frames.to_host(sessions["row_list"]).cast(pa.list_(pa.int64()))
        table = pa.table({SESSION_ID: frames.to_host(sessions[SESSION_ID]), "row": rows})
        for field in self.fields:
            lists = frames.to_host(sessions[f"{field.name}_list"])
            table = table.append_column(field.name, lists.cast(pa.list_(field.arrow_type)))
        for column in self.targets:
            lists = frames.to_host(sessions[f"{column}_list"])
            table = table.append_column(IS_TARGET, lists.cast(pa.list_(pa.bool_())))
        # Session ids hardly repeat, so a dictionary of them would be built in vain.
        repeated = ["row", *(field.name for field in self.fields if field.layout is Layout.IDS)]
        table = table.replace_schema_metadata(event_metadata(self.fields))
        pq.write_table(table, target, use_dictionary=[f"{name}.list.element" for name in repeated])
        kept = len(rows.flatten())
        before_cutting = frames.to_host(sessions["row_count"]).to_numpy(zero_copy_only=False)
        return Written(
            sessions=len(table),
            events=kept,
            unknown=unknown,
            cut=int(before_cutting.sum()) - kept,
            prefixes=Sessions.read([target]).n_prefixes if self.targets else 0,
        )
