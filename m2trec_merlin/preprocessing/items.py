"""Fit the items workflow on items that occur in training, and encode all items into the catalogue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from dask import delayed
from nvtabular import Workflow

from m2trec_merlin.artifacts import reading
from m2trec_merlin.attributes import Attribute
from m2trec_merlin.attributes.operators import load_operators
from m2trec_merlin.catalogue import DISPLAY, ENCODED, VOCABULARIES
from m2trec_merlin.column_names import (
    ITEM_ID,
    KNOWN_COUNT,
    KNOWN_RECENT_COUNT,
    LISTED,
    RECENT_COUNT,
    TRAIN_COUNT,
)
from m2trec_merlin.config import Config
from m2trec_merlin.data.validation import check_attributes
from m2trec_merlin.errors import DataError
from m2trec_merlin.ids import IdIndex
from m2trec_merlin.merlin_adapter import dataset_of_parts
from m2trec_merlin.preprocessing.catalogue_files import arrow_schema, write_display, write_vocabularies
from m2trec_merlin.preprocessing.continuing import EarlierRun, longest_training_session, start_from
from m2trec_merlin.preprocessing.device import frames_on
from m2trec_merlin.preprocessing.fitting import fit_workflow
from m2trec_merlin.preprocessing.listed import newly_listed
from m2trec_merlin.preprocessing.parts import Events, count_events, find_parts
from m2trec_merlin.preprocessing.recent import count_recent
from m2trec_merlin.preprocessing.workers import ALONE, Workers
from m2trec_merlin.progress import Progress
from m2trec_merlin.readers import Origin
from m2trec_merlin.readers.problems import ProblemLog
from m2trec_merlin.runs.folder import CATALOGUE, ITEMS_FILE, ITEMS_WORKFLOW
from m2trec_merlin.workflows.items import items_workflow
from m2trec_merlin.workflows.storage import save_workflow


def build_catalogue(
    config: Config,
    data: Path,
    output: Path,
    workers: Workers = ALONE,
    start: EarlierRun | None = None,
) -> None:
    """Fit the items workflow and write `catalogue/` and `items_workflow/`.

    Args:
        config: the configuration; attributes, `serving.title_column` and `data.max_session_length` are used.
        data: folder that `m2trec data` wrote.
        output: folder to write into.
        workers: the workers that encode the parts; they must see `output`.
        start: results of an earlier run, whose vocabularies are extended, and whose length of sessions is
            kept, if any.

    Raises:
        ArtifactError: the earlier workflow has other attributes.
        DataError: the items do not fit the attributes (all problems at once), or none occurs in training.
        MissingDependencyError: the encoder for attributes of kind `sentence` is not installed.
    """
    longest = longest_training_session(config, data, start)
    items, told = _order_items(config, data, longest, workers.progress)
    _require_fit(items, config.attributes, data / ITEMS_FILE)
    n_seen = int((told[TRAIN_COUNT] > 0).sum())
    if not n_seen:
        raise DataError(str(data), [f"no item of {ITEMS_FILE} occurs in the training sessions"])
    catalogue = output / CATALOGUE
    catalogue.mkdir(parents=True)
    with TemporaryDirectory(dir=output, prefix=".parts.") as folder:
        size = min(attribute.items_at_a_time for attribute in config.attributes)
        parts = _write_parts(items, n_seen, Path(folder), size)
        seen = [part for part in parts if part.name.startswith("seen")]
        workflow = items_workflow(config.attributes, Path(folder) / VOCABULARIES)
        columns = workflow_columns(config.attributes)
        if start is not None:
            workflow.fit_schema(dataset_of_parts(seen[:1], columns).schema)
            start_from(workflow, config.attributes, start.folder.items_workflow)
        load_operators(workflow)
        fit_workflow(workflow, seen, columns, workers)
        save_workflow(workflow, config.attributes, output / ITEMS_WORKFLOW)
        fields = write_vocabularies(workflow, config.attributes, catalogue)
        schema = arrow_schema(list(fields.values()), items.schema.field(ITEM_ID).type)
        targets = [part.with_name(f"encoded-{part.name}") for part in parts]
        shared = delayed(workflow)
        encode = delayed(encode_part)
        tasks = [
            encode(shared, str(part), str(to), schema, workers.device)
            for part, to in zip(parts, targets, strict=True)
        ]
        workers.run(tasks, "catalogue")
        _combine(targets, told, catalogue / ENCODED)
    write_display(items, config, catalogue / DISPLAY)


def _require_fit(items: pa.Table, attributes: Sequence[Attribute], path: Path) -> None:
    log = ProblemLog(Origin(str(path), {}))
    check_attributes(items.to_pandas(integer_object_nulls=True), attributes, log)
    if problems := log.messages():
        raise DataError(str(path), problems)


def workflow_columns(attributes: Sequence[Attribute]) -> list[str]:
    """Return the distinct columns of the raw items that the workflow reads."""
    return list(dict.fromkeys([ITEM_ID, *(a.source_column for a in attributes)]))


def _order_items(
    config: Config, data: Path, longest: int, progress: Progress
) -> tuple[pa.Table, dict[str, np.ndarray]]:
    """Return the items in the order of the catalogue, and columns derived from sessions, such as counts.

    Only the last `longest` events of each session count, as no others are trained on or remembered.
    """
    with reading(data / ITEMS_FILE, "data"):
        items = pq.read_table(data / ITEMS_FILE)
    index = IdIndex(items.column(ITEM_ID).to_pandas())
    split, train, valid = config.data.split, find_parts(data, "train"), find_parts(data, "valid")
    trained = Events(train, longest=longest)
    parts, go_on = (train, valid) if split.is_nested else ([*train, *valid], [])
    known = Events(parts, go_on, longest)
    told = {}
    for events, count, recent_count in (
        (trained, TRAIN_COUNT, RECENT_COUNT),
        (known, KNOWN_COUNT, KNOWN_RECENT_COUNT),
    ):
        told[count] = count_events(events, index)
        # If a column names the splits, sessions are taken to be in order, as for `valid_share_of_train`.
        if (recent := count_recent(events, index, split.is_named)) is not None:
            told[recent_count] = recent
    if LISTED in items.column_names:
        since = items.column(LISTED).to_numpy()
        told[LISTED] = newly_listed(trained, since, told[TRAIN_COUNT], progress)
    # A stable sort keeps the order of the source among items with equal counts.
    order = np.argsort(-told[TRAIN_COUNT], kind="stable")
    return items.take(pa.array(order)), {name: each[order] for name, each in told.items()}


def _write_parts(items: pa.Table, n_seen: int, folder: Path, size: int) -> list[Path]:
    parts: list[Path] = []
    for kind, start, stop in (("seen", 0, n_seen), ("unseen", n_seen, len(items))):
        for first in range(start, stop, size):
            parts.append(folder / f"{kind}-{len(parts):05d}.parquet")
            pq.write_table(items.slice(first, min(size, stop - first)), parts[-1])
    return parts


def encode_part(workflow: Workflow, source: str, target: str, schema: pa.Schema, device: str = "cpu") -> None:
    """Encode a file of raw items into another file with exactly the columns and types of `schema`."""
    frames = frames_on(device)
    frame = workflow.transform(frames.read(Path(source), workflow.input_schema.column_names))
    columns = [frames.to_host(frame[name]).cast(schema.field(name).type) for name in schema.names]
    pq.write_table(pa.Table.from_arrays(columns, schema=schema), target)


def _combine(parts: Sequence[Path], told: Mapping[str, np.ndarray], target: Path) -> None:
    start = 0
    schema = pq.read_schema(parts[0]).remove_metadata()
    columns = {name: pa.array(values) for name, values in told.items()}
    for place, (name, column) in enumerate(columns.items(), 1):
        schema = schema.insert(place, pa.field(name, column.type))
    with pq.ParquetWriter(target, schema) as writer:
        for part in parts:
            table = pq.read_table(part)
            stop = start + len(table)
            for place, (name, column) in enumerate(columns.items(), 1):
                table = table.add_column(place, name, column.slice(start, stop - start))
            writer.write_table(table.cast(schema))
            start = stop
