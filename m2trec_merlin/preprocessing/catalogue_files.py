"""Write the files of a catalogue besides its rows: layouts, display table and vocabularies.

`m2trec_merlin.catalogue` describes the format.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from nvtabular import Workflow

from m2trec_merlin.artifacts import atomic_write
from m2trec_merlin.attributes import Attribute
from m2trec_merlin.catalogue import SCHEMA, VOCABULARIES
from m2trec_merlin.column_names import ITEM_ID
from m2trec_merlin.columns import as_text
from m2trec_merlin.config import Config
from m2trec_merlin.encoded import Field
from m2trec_merlin.errors import DataError


def write_vocabularies(
    workflow: Workflow, attributes: Sequence[Attribute], catalogue: Path
) -> dict[str, Field]:
    """Write `schema.json` and `vocabularies/` of a fitted items workflow; return the fields by attribute."""
    folder = catalogue / VOCABULARIES
    folder.mkdir()
    fields = {a.name: a.write_vocabulary(workflow, folder) for a in attributes}
    schema = [{**fields[a.name].to_json(), "kind": a.kind} for a in attributes]
    titled = any(attribute.gives_titles for attribute in attributes)
    atomic_write(catalogue / SCHEMA, json.dumps({"titled": titled, "attributes": schema}, indent=2))
    return fields


def arrow_schema(fields: Sequence[Field], id_type: pa.DataType) -> pa.Schema:
    """Return the Arrow schema of encoded items: `item_id`, then one column per attribute."""
    return pa.schema([pa.field(ITEM_ID, id_type), *(pa.field(f.name, f.arrow_type) for f in fields)])


def write_display(items: pa.Table, config: Config, path: Path) -> None:
    """Write the table that people read: id, title, and the raw attributes to filter by."""
    display = {ITEM_ID: items.column(ITEM_ID), "title": _titles(items, config)}
    for attribute in config.attributes:
        if attribute.is_shown:
            display.setdefault(attribute.name, items.column(attribute.source_column))
    pq.write_table(pa.table(display), path)


def _titles(items: pa.Table, config: Config) -> pa.Array:
    column = config.titles_from
    if column not in items.column_names:
        accepted = ", ".join(items.column_names)
        raise DataError(
            "serving.title_column", [f"the items have no column '{column}'; there are {accepted}"]
        )
    return pc.fill_null(as_text(items.column(column).to_pandas(integer_object_nulls=True)), "")
