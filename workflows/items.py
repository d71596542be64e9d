"""The items workflow: raw attributes become ids and numbers, and all items become the catalogue.

    text               -> SubwordTokenize
    categorical        -> AsText -> Categories
    multi-categorical  -> SplitValues -> Categories
    numeric            -> AsNumber -> LogOp, if asked for -> Normalize -> FillMissing
    vector             -> AsVector
    sentence           -> SentenceVectors

There are no id features: the item's id is carried along, never encoded. The same fitted workflow encodes the
catalogue and, in the server, the raw attributes of items that the catalogue never had.
"""

from __future__ import annotations

import sys
from pathlib import Path

if not __package__:
    # Run as a script, perhaps where nothing is installed: this checkout is the package.
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    import m2trec_merlin

    m2trec_merlin.__path__.append(sys.path[0])
if __name__ == "__main__":
    from m2trec_merlin.workflows.script import run_items

    sys.exit(run_items())

from collections.abc import Sequence
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from dask import delayed
from merlin.schema import Tags
from nvtabular import Workflow
from nvtabular.ops import AddTags, FillMissing, LogOp, Normalize, Rename, TagAsItemFeatures

from m2trec_merlin.config import ITEM_ID, AttributeConfig, Config
from m2trec_merlin.errors import ConfigError, DataError
from m2trec_merlin.merlin_adapter import dataset_of_parts, save_workflow
from m2trec_merlin.workflows.catalogue_files import (
    arrow_schema,
    check_items,
    write_display,
    write_vocabularies,
)
from m2trec_merlin.workflows.cluster import Report, ignore_progress, run
from m2trec_merlin.workflows.events import count_events, find_parts
from m2trec_merlin.workflows.lookup import IdIndex
from m2trec_merlin.workflows.operators import (
    AsNumber,
    AsText,
    AsVector,
    Categories,
    SplitValues,
)
from m2trec_merlin.workflows.sentences import SentenceVectors, load_encoders
from m2trec_merlin.workflows.subword import SubwordTokenize

#: Items encoded at a time in each process; fewer with sentences, each of which takes milliseconds, so that
#: progress shows and every process has work.
PART_ITEMS, PART_SENTENCES = 50_000, 2_000


def items_workflow(attributes: Sequence[AttributeConfig], storage: Path) -> Workflow:
    """Compose the workflow that encodes raw attributes; fit it on the items seen in training only.

    Args:
        attributes: one output column each; an attribute may share its source column with others.
        storage: folder in which fitting keeps the category vocabularies until the workflow is saved.

    Raises:
        ConfigError: an attribute reads the item id, or shared vocabularies go round in a circle.
    """
    for attribute in attributes:
        if attribute.source_column == ITEM_ID:
            raise ConfigError(f"attribute '{attribute.name}' reads '{ITEM_ID}': item ids are never features")
    encoded = _texts([a for a in attributes if a.kind == "text"])
    encoded += [_encode(a, storage) for a in attributes if a.kind != "text"]
    outputs = [ITEM_ID] >> AddTags([Tags.ITEM_ID])
    for node in encoded:
        outputs = outputs + (node >> TagAsItemFeatures())
    return Workflow(outputs)


def _texts(attributes: Sequence[AttributeConfig]) -> list[Any]:
    by_name = {a.name: a for a in attributes}
    groups: dict[str, list[AttributeConfig]] = {}
    for attribute in attributes:
        groups.setdefault(_vocabulary_owner(attribute, by_name), []).append(attribute)
    nodes = []
    for owner, members in groups.items():
        columns = _source(members[0])
        for member in members[1:]:
            columns = columns + _source(member)
        lengths = {member.name: member.max_tokens for member in members}
        nodes.append(columns >> SubwordTokenize(by_name[owner].vocabulary_size, lengths, shared=True))
    return nodes


def _vocabulary_owner(attribute: AttributeConfig, by_name: dict[str, AttributeConfig]) -> str:
    seen = [attribute.name]
    while (owner := by_name[seen[-1]].shared_vocabulary) is not None:
        if owner in seen:
            raise ConfigError(f"shared_vocabulary goes round in a circle: {' -> '.join([*seen, owner])}")
        seen.append(owner)
    return seen[-1]


def _source(attribute: AttributeConfig) -> Any:
    return [attribute.source_column] >> Rename(name=attribute.name)


def _encode(attribute: AttributeConfig, storage: Path) -> Any:
    column = _source(attribute)
    if attribute.kind == "vector":
        return column >> AsVector(attribute.size or 0)
    if attribute.kind == "sentence":
        return column >> SentenceVectors()
    if attribute.kind == "numeric":
        numbers = column >> AsNumber(minimum=0 if attribute.log else None)
        numbers = numbers >> LogOp() if attribute.log else numbers
        # Filled last: the mean of the known values is then 0, and does not depend on the missing ones.
        return numbers >> Normalize(out_dtype=np.float32) >> FillMissing(0)
    categories = Categories(freq_threshold=attribute.min_count, out_path=str(storage), dtype=np.int64)
    if attribute.kind == "categorical":
        return column >> AsText() >> categories
    return column >> SplitValues(attribute.separator, attribute.max_tokens) >> categories


def encode_items(workflow: Workflow, frame: Any) -> Any:
    """Encode raw items with a fitted workflow: the catalogue's rows and a request's items alike.

    Args:
        workflow: from `items_workflow`, fitted or loaded.
        frame: raw items, one a line; columns that it lacks count as missing, others are ignored.

    Returns:
        A frame of `item_id` and one column per attribute, in the order of `frame`: int64 ids, arrays of
        int64 ids, float32 numbers, arrays of float32 numbers.

    Raises:
        DataError: a vector is not of its size.
    """
    raw = frame.reset_index(drop=True)
    if not len(raw):
        return type(raw)(columns=workflow.output_schema.column_names)
    wanted = workflow.input_schema.column_names
    for column in wanted:
        if column not in raw.columns:
            raw[column] = None
    return workflow.transform(raw[wanted])


def build_catalogue(
    config: Config, data: Path, output: Path, client: Any = None, report: Report = ignore_progress
) -> None:
    """Fit the items workflow and write `catalogue/` and `items_workflow/`.

    Args:
        config: its attributes, and the title column of `serving`.
        data: folder that `m2trec data` wrote.
        output: folder to write into.
        client: of the Dask cluster to run on, which must see `output`; None runs in this process.
        report: told about progress.

    Raises:
        DataError: the items do not fit the attributes (all problems at once), or none occurs in training.
        MissingDependencyError: sentences are to be encoded, and the encoder is not installed.
    """
    items, counts = _order_items(data)
    check_items(items, config.attributes, str(data / "items.parquet"))
    n_seen = int((counts > 0).sum())
    if not n_seen:
        raise DataError(str(data), ["no item of items.parquet occurs in the training sessions"])
    catalogue = output / "catalogue"
    catalogue.mkdir(parents=True)
    with TemporaryDirectory(dir=output, prefix=".parts.") as folder:
        sentences = any(attribute.kind == "sentence" for attribute in config.attributes)
        parts = _write_parts(items, n_seen, Path(folder), PART_SENTENCES if sentences else PART_ITEMS)
        seen = [part for part in parts if part.name.startswith("seen")]
        workflow = items_workflow(config.attributes, Path(folder) / "vocabularies")
        load_encoders(workflow)
        report("vocabularies", 0, 1)
        workflow.fit(dataset_of_parts(seen, workflow_columns(config.attributes)))
        report("vocabularies", 1, 1)
        save_workflow(workflow, output / "items_workflow")
        schema = arrow_schema(config.attributes, items.schema.field(ITEM_ID).type)
        targets = [part.with_name(f"encoded-{part.name}") for part in parts]
        shared = delayed(workflow)
        encode = delayed(encode_part)
        tasks = [encode(shared, str(part), str(to), schema) for part, to in zip(parts, targets, strict=True)]
        run(tasks, client, "catalogue", report)
        _combine(targets, counts, catalogue / "items.parquet")
    write_display(items, config, catalogue / "display.parquet")
    write_vocabularies(workflow, config.attributes, catalogue)


def workflow_columns(attributes: Sequence[AttributeConfig]) -> list[str]:
    """Return the columns of the raw items that the workflow reads, each once."""
    return list(dict.fromkeys([ITEM_ID, *(a.source_column for a in attributes)]))


def _order_items(data: Path) -> tuple[pa.Table, np.ndarray]:
    items = pq.read_table(data / "items.parquet")
    index = IdIndex(items.column(ITEM_ID).to_pandas())
    counts = count_events(find_parts(data, "train"), index)
    # A stable sort keeps the order of the source among items with equal counts.
    order = np.argsort(-counts, kind="stable")
    return items.take(pa.array(order)), counts[order]


def _write_parts(items: pa.Table, n_seen: int, folder: Path, size: int) -> list[Path]:
    parts: list[Path] = []
    for kind, start, stop in (("seen", 0, n_seen), ("unseen", n_seen, len(items))):
        for first in range(start, stop, size):
            parts.append(folder / f"{kind}-{len(parts):05d}.parquet")
            pq.write_table(items.slice(first, min(size, stop - first)), parts[-1])
    return parts


def encode_part(workflow: Workflow, source: str, target: str, schema: pa.Schema) -> None:
    """Encode one file of raw items into another, with exactly the columns and types of `schema`."""
    table = pq.read_table(source, columns=workflow.input_schema.column_names)
    frame = encode_items(workflow, table.to_pandas(integer_object_nulls=True))
    host = frame if isinstance(frame, pd.DataFrame) else frame.to_pandas()
    pq.write_table(pa.Table.from_pandas(host[schema.names], schema=schema, preserve_index=False), target)


def _combine(parts: Sequence[Path], counts: np.ndarray, target: Path) -> None:
    start = 0
    schema = pq.read_schema(parts[0]).remove_metadata()
    schema = schema.insert(1, pa.field("train_count", pa.int64()))
    with pq.ParquetWriter(target, schema) as writer:
        for part in parts:
            table = pq.read_table(part)
            stop = start + len(table)
            table = table.add_column(1, "train_count", pa.array(counts[start:stop], pa.int64()))
            writer.write_table(table.cast(schema))
            start = stop
