"""The files of a catalogue beside its rows: types, display table, vocabularies; and the check of raw items.

`m2trec_merlin.catalogue` describes the format.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from merlin.dag import Graph
from nvtabular import Workflow

from m2trec_merlin.artifacts import atomic_write
from m2trec_merlin.columns import as_text
from m2trec_merlin.config import ITEM_ID, AttributeConfig, Config
from m2trec_merlin.errors import DataError
from m2trec_merlin.workflows.operators import Categories, numbers, vector_problem, vocabulary_values
from m2trec_merlin.workflows.subword import RESERVED, SubwordTokenize

_TYPES = {
    "text": pa.list_(pa.int64()),
    "categorical": pa.int64(),
    "multi_categorical": pa.list_(pa.int64()),
    "numeric": pa.float32(),
}


def arrow_schema(attributes: Sequence[AttributeConfig], id_type: pa.DataType) -> pa.Schema:
    """Return the columns of encoded items: `item_id`, then one per attribute."""
    fields = [pa.field(ITEM_ID, id_type)]
    for attribute in attributes:
        vector = pa.list_(pa.float32(), attribute.size or 0)
        fields.append(pa.field(attribute.name, _TYPES.get(attribute.kind, vector)))
    return pa.schema(fields)


def check_items(items: pa.Table, attributes: Sequence[AttributeConfig], source: str) -> None:
    """Check that the raw items hold what the attributes describe.

    Raises:
        DataError: lists every problem with its column and first row.
    """
    problems = []
    for attribute in attributes:
        column = attribute.source_column
        if column not in items.column_names:
            accepted = ", ".join(items.column_names)
            problems.append(f"attribute '{attribute.name}': no column '{column}'; there are {accepted}")
            continue
        problem = _problem(attribute, items.column(column))
        if problem:
            problems.append(f"attribute '{attribute.name}', column '{column}': {problem}")
    if problems:
        raise DataError(source, problems)


def _problem(attribute: AttributeConfig, column: pa.ChunkedArray) -> str | None:
    if attribute.kind == "vector":
        return vector_problem(column.to_pandas(), attribute.size or 0)
    is_list = pa.types.is_list(column.type) or pa.types.is_large_list(column.type)
    if is_list and attribute.kind != "multi_categorical":
        return f"holds lists; kind '{attribute.kind}' takes single values"
    if attribute.kind == "numeric":
        values = column.to_pandas()
        known = as_text(values).is_valid().to_numpy(zero_copy_only=False)
        usable = numbers(values, 0 if attribute.log else None).is_valid().to_numpy(zero_copy_only=False)
        wrong = np.flatnonzero(known & ~usable)
        if len(wrong):
            what = "not numbers of at least 0, which log needs" if attribute.log else "not finite numbers"
            return f"{len(wrong)} values are {what}; first: {values.iloc[wrong[0]]!r}"
    return None


def write_display(items: pa.Table, config: Config, path: Path) -> None:
    """Write what a person reads of each item: id, title, and the raw attributes to filter by."""
    display = {ITEM_ID: items.column(ITEM_ID), "title": _titles(items, config)}
    for attribute in config.attributes:
        if attribute.kind in ("categorical", "multi_categorical", "numeric"):
            display.setdefault(attribute.name, items.column(attribute.source_column))
    pq.write_table(pa.table(display), path)


def _titles(items: pa.Table, config: Config) -> pa.Array:
    texts = [a.source_column for a in config.attributes if a.kind == "text"]
    column = config.serving.title_column or (texts[0] if texts else ITEM_ID)
    if column not in items.column_names:
        accepted = ", ".join(items.column_names)
        raise DataError(
            "serving.title_column", [f"the items have no column '{column}'; there are {accepted}"]
        )
    return pc.fill_null(as_text(items.column(column).to_pandas()), "")


def write_vocabularies(workflow: Workflow, attributes: Sequence[AttributeConfig], catalogue: Path) -> None:
    """Write `schema.json` and `vocabularies/` of a fitted items workflow."""
    folder = catalogue / "vocabularies"
    folder.mkdir()
    schema = []
    for attribute in attributes:
        entry: dict[str, Any] = {"name": attribute.name, "kind": attribute.encoded_kind}
        if attribute.kind == "text":
            tokenizer = _operator(workflow, attribute.name, SubwordTokenize).tokenizer(attribute.name)
            tokenizer.save(str(folder / f"{attribute.name}.json"))
            entry["vocabulary_size"] = tokenizer.get_vocab_size()
        elif attribute.kind in ("categorical", "multi_categorical"):
            operator = _operator(workflow, attribute.name, Categories)
            values = [*RESERVED, *vocabulary_values(operator, attribute.name)]
            pq.write_table(
                pa.table({"value": pa.array(values, pa.string())}), folder / f"{attribute.name}.parquet"
            )
            entry["vocabulary_size"] = len(values)
        elif attribute.encoded_kind == "vector":
            entry["size"] = attribute.size
        schema.append(entry)
    atomic_write(catalogue / "schema.json", json.dumps({"attributes": schema}, indent=2))


def _operator(workflow: Workflow, name: str, kind: type) -> Any:
    for node in Graph.get_nodes_by_op_type([workflow.output_node], kind):
        if name in node.output_columns.names:
            return node.op
    raise KeyError(name)
