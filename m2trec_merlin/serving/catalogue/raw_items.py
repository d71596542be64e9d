"""Raw attributes of items as JSON, from tables of changes and from the data that an export was made from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from m2trec_merlin.artifacts import reading
from m2trec_merlin.attributes import parse_attribute
from m2trec_merlin.column_names import ITEM_ID
from m2trec_merlin.columns import as_text, is_list, to_arrow
from m2trec_merlin.contract.checksums import require_sealed
from m2trec_merlin.contract.item_format import ItemFormat
from m2trec_merlin.contract.version import ITEMS_AS_GIVEN
from m2trec_merlin.errors import ArtifactError
from m2trec_merlin.spelling import json_number

#: Values of an item by column, as a JSON object; null for a missing value. Nothing is said about columns that
#: are not in it.
Raw = str
#: Number of items in a row group on disk.
_GROUP = 10_000


def as_raw(frame: pd.DataFrame) -> list[Raw]:
    """Return the raw attributes of each row, with values as a request would send them."""
    columns = {str(name): _as_sent(frame[name]) for name in frame}
    return [json.dumps({name: values[row] for name, values in columns.items()}) for row in range(len(frame))]


def overridden(before: Raw, after: Raw) -> Raw:
    """Return the attributes in `before`, overridden by those in `after`."""
    return json.dumps(json.loads(before) | json.loads(after))


def says(one: Raw, other: Raw) -> bool:
    """Tell whether `one` has all attributes of `other`, with the same values."""
    known = json.loads(one)
    return all(name in known and known[name] == value for name, value in json.loads(other).items())


def is_bare(raw: Raw) -> bool:
    """Tell whether all values are missing."""
    return not any(value is not None for value in json.loads(raw).values())


def described_columns(written: ItemFormat) -> list[str]:
    """Return the raw columns that attributes and titles are made of."""
    attributes = (parse_attribute(**settings) for settings in written.attributes)
    titles = [] if written.title_column is None else [written.title_column]
    return list(dict.fromkeys([*(attribute.source_column for attribute in attributes), *titles]))


def write_items_as_given(items: Path, written: ItemFormat, folder: Path) -> None:
    """Write the raw attributes of a run's items into a version folder of the second step.

    Args:
        items: path of the canonical table of items.
        written: format of the item tables.
        folder: the version folder.

    Raises:
        ArtifactError: the table is damaged.
    """
    with reading(items, "data"):
        file = pq.ParquetFile(items)
        names = list(dict.fromkeys([ITEM_ID, *described_columns(written)]))
        schema = pa.schema([file.schema_arrow.field(name) for name in names])
        schema = schema.set(0, pa.field(ITEM_ID, pa.string()))
        with pq.ParquetWriter(folder / ITEMS_AS_GIVEN, schema) as writer:
            # In small groups, since an update reads only those with its items.
            for batch in file.iter_batches(_GROUP, columns=names):
                table = pa.Table.from_batches([batch]).select(names)
                ids = as_text(table.column(ITEM_ID).to_pandas()).cast(pa.string())
                writer.write_table(table.set_column(0, ITEM_ID, ids))


def complete(
    said: Mapping[str, Raw], exported: Iterable[str], written: ItemFormat, folder: Path
) -> dict[str, Raw]:
    """Complete the given attributes of items with the raw attributes in the export.

    Args:
        said: given attributes, by id.
        exported: ids of these items that the export has.
        written: format of the item tables.
        folder: version folder of the second step.

    Raises:
        ArtifactError: the export holds no raw attributes, or they were altered.
    """
    columns = described_columns(written)
    needed = [item_id for item_id in exported if not set(columns) <= json.loads(said[item_id]).keys()]
    return {**said, **_override_export(said, needed, folder)} if needed else dict(said)


def _override_export(said: Mapping[str, Raw], ids: Sequence[str], folder: Path) -> dict[str, Raw]:
    path = folder / ITEMS_AS_GIVEN
    if not path.is_file():
        raise ArtifactError(
            f"{folder}: only some of the attributes are given, and this export lacks the others: it was made "
            "without data/items.parquet. Give all columns, or run `m2trec export --force` beside that file"
        )
    require_sealed(folder, files=(ITEMS_AS_GIVEN,))
    found: dict[str, Raw] = {}
    with reading(path, "export"):
        file = pq.ParquetFile(path)
        wanted = pa.array(ids, pa.string())
        for group in range(file.num_row_groups):
            known = file.read_row_group(group, columns=[ITEM_ID]).column(ITEM_ID)
            is_wanted = pc.is_in(known, wanted)
            if pc.any(is_wanted).as_py():
                rows = file.read_row_group(group).filter(is_wanted)
                before = as_raw(rows.drop_columns(ITEM_ID).to_pandas(integer_object_nulls=True))
                found |= dict(zip(rows.column(ITEM_ID).to_pylist(), before, strict=True))
    return {item_id: overridden(raw, said[item_id]) for item_id, raw in found.items()}


def _as_sent(column: pd.Series) -> list[Any]:
    """Return values for JSON that the workflow reads like the column itself; None for missing values."""
    try:
        return _of_arrow(to_arrow(column))
    except pa.ArrowException:
        # The column has values of several types, which are converted one by one, or numbers beyond 64 bits.
        return [_alone(value) for value in column]


def _alone(value: Any) -> Any:
    if isinstance(value, int):
        return value  # of any size, as JSON has them
    if isinstance(value, list | np.ndarray):
        return _as_sent(pd.Series(list(value), dtype=object))
    return _of_arrow(to_arrow(pd.Series([value], dtype=object)))[0]


def _of_arrow(array: pa.Array) -> list[Any]:
    if is_list(array.type):
        values = iter(_of_arrow(array.flatten()))
        lengths = pc.list_value_length(array).to_pylist()
        return [None if length is None else list(islice(values, length)) for length in lengths]
    kind = pa.types
    if kind.is_float16(array.type) or kind.is_float32(array.type):
        array = array.cast(pa.float32()).cast(pa.string()).cast(pa.float64())  # as it is written: 7.1
    plain = (kind.is_floating, kind.is_integer, kind.is_boolean, kind.is_string, kind.is_large_string)
    if any(is_plain(array.type) for is_plain in plain):
        return [None if value != value else value for value in array.to_pylist()]
    if kind.is_decimal(array.type):
        return [None if value is None else json_number(value) for value in array.to_pylist()]
    return as_text(array.to_pandas(types_mapper=pd.ArrowDtype)).to_pylist()
