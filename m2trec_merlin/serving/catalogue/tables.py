"""Tables of items as people hand them in, checked as the tables of a run are."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from m2trec_merlin.attributes import Attribute, parse_attribute
from m2trec_merlin.column_names import ITEM_ID
from m2trec_merlin.columns import as_text, is_list, to_arrow
from m2trec_merlin.contract.catalogue import Availability, SaidOfTimes
from m2trec_merlin.contract.item_format import ItemFormat
from m2trec_merlin.data.tables import canonical_items
from m2trec_merlin.data.validation import check_item_ids, check_items
from m2trec_merlin.errors import DataError
from m2trec_merlin.readers.canonical import normalise_ids, without_zero_fractions
from m2trec_merlin.readers.files.dialect import Dialect
from m2trec_merlin.readers.files.table_file import TableFile
from m2trec_merlin.readers.near_ids import doubt_of_items
from m2trec_merlin.readers.problems import ProblemLog, describe_missing_column
from m2trec_merlin.readers.source import Origin
from m2trec_merlin.readers.times import parse_instants
from m2trec_merlin.serving.catalogue.changes import Raw
from m2trec_merlin.serving.runtime.notes import name_some

HIDDEN, FROM, UNTIL = "hidden", "available_from", "available_until"
_ALL_COLUMNS = (
    "gives only some of the attributes, and an export keeps no raw values from which to take the others: "
    "give all columns, as data/items.parquet of the run has them, with the changes written in"
)
_ROW_NUMBERS = "__index_level_"
#: Of an item without a value.
_NOTHING = "{}"
_YES, _NO = ("true", "1", "yes"), ("false", "0", "no")


@dataclass(frozen=True)
class GivenItems:
    """What a table says.

    Attributes:
        ids: of its rows, as text.
        items: by id, raw values as JSON; empty if the table has no column that describes items.
        availability: what is said of it, by id; empty if the table has no column about it.
        notices: what of the table was left aside.
    """

    ids: list[str]
    items: dict[str, Raw]
    availability: dict[str, SaidOfTimes]
    notices: list[str]


def read_items(path: Path, written: ItemFormat, may_lack_attributes: bool = False) -> GivenItems:
    """Read a table of items.

    Args:
        path: a Parquet or CSV file, or a folder of them.
        written: how such a table is written.
        may_lack_attributes: whether it may say of items when they are available and nothing else.

    Raises:
        DataError: anything at all is wrong with it, all problems at once.
    """
    attributes = [parse_attribute(**settings) for settings in written.attributes]
    table = _open(path, written)
    columns = _Columns.of(table.columns(), written, attributes)
    raw = table.read(columns.read, single=[columns.ids] if columns.ids in columns.read else [])
    items = columns.named(raw, written.whole_ids)
    log = ProblemLog(Origin(str(path), {ITEM_ID: columns.ids}, table.locate, lambda: columns.available))
    # Where names alone are known of items, their ids say all that there is to say.
    describes = columns.describe_items or not (may_lack_attributes and columns.about)
    if describes:
        check_items(items, log, attributes, written.title_column)
        if may_lack_attributes and not set(columns.described) <= {*columns.available, columns.ids}:
            log.add(_ALL_COLUMNS)
    else:
        check_item_ids(items, log)
    availability = _availability(items, columns.about, log)
    if problems := log.messages():
        raise DataError(str(path), problems)
    ids = [str(item_id) for item_id in normalise_ids(items[ITEM_ID])]
    said = [f"not read: {', '.join(columns.left)}"] if columns.left else []
    if odd := doubt_of_items(ids):
        said.append(odd)
    rows: dict[str, Raw] = {}
    if describes:
        canonical = canonical_items(items.drop(columns=columns.about), attributes, written.title_column)
        rows = dict(zip(ids, _as_json(canonical.drop(columns=ITEM_ID)), strict=True))
        if bare := [item_id for item_id, raw in rows.items() if raw == _NOTHING]:
            said.append(f"nothing describes {name_some(bare)}: all of their attributes count as missing")
    return GivenItems(
        ids,
        rows,
        dict(zip(ids, availability, strict=False)),
        [*table.notices(), *(f"{path}: {each}" for each in said)],
    )


def _open(path: Path, written: ItemFormat) -> TableFile:
    # What the export was made with holds: no configuration is read, so none is to be hinted at.
    return TableFile(path, replace(Dialect(**written.dialect), options=None))


@dataclass(frozen=True)
class _Columns:
    """What the columns of a table of items are.

    Attributes:
        available: all of them.
        ids: the column of ids; it may be missing.
        described: columns that attributes and titles are made of; some may be missing.
        about: those about availability that are there.
    """

    available: list[str]
    ids: str
    described: list[str]
    about: list[str]

    @classmethod
    def of(cls, available: list[str], written: ItemFormat, attributes: Sequence[Attribute]) -> _Columns:
        described = list(dict.fromkeys(a.source_column for a in attributes))
        if written.title_column is not None and written.title_column not in described:
            described.append(written.title_column)
        about = [name for name in (HIDDEN, FROM, UNTIL) if name in available and name not in described]
        return cls(available, _column_of_ids(available, written), described, about)

    @property
    def read(self) -> list[str]:
        """Those that are used; one at least, so that a table without any can be told what it lacks."""
        used = (self.ids, *self.described, *self.about)
        return [name for name in self.available if name in used] or self.available[:1]

    @property
    def left(self) -> list[str]:
        """Those that nobody reads, but for row numbers, which pandas writes without being asked."""
        unread = (name for name in self.available if name not in self.read)
        return [name for name in unread if not name.startswith(_ROW_NUMBERS)]

    @property
    def describe_items(self) -> bool:
        """Whether any says what items are, and not only when they are available."""
        return any(name in self.available for name in self.described if name != self.ids)

    def named(self, raw: pd.DataFrame, whole: bool) -> pd.DataFrame:
        """Return a table with ids by the name that checks know; an attribute may read them by theirs, too.

        Args:
            raw: as it was read.
            whole: see `ItemFormat.whole_ids`.
        """
        if self.ids not in raw:
            return raw
        left = raw if self.ids in self.described else raw.drop(columns=self.ids)
        return left.assign(**{ITEM_ID: _as_the_run(raw[self.ids], whole)})


def read_ids(path: Path, written: ItemFormat) -> list[str]:
    """Read the ids of a table of items, whatever else it holds.

    Raises:
        DataError: it has none, or ids are missing or repeated.
    """
    table = _open(path, written)
    available = table.columns()
    own = _column_of_ids(available, written)
    if own not in available:
        missing = describe_missing_column(own, available, "names the items")
        raise DataError(str(path), [f"{path}: {missing}"])
    items = pd.DataFrame({ITEM_ID: _as_the_run(table.read([own], single=[own])[own], written.whole_ids)})
    log = ProblemLog(Origin(str(path), {ITEM_ID: own}, table.locate, lambda: available))
    check_item_ids(items, log)
    if problems := log.messages():
        raise DataError(str(path), problems)
    return [str(item_id) for item_id in normalise_ids(items[ITEM_ID])]


def _as_the_run(ids: pd.Series, whole: bool) -> pd.Series:
    """Return ids as the run would have read them, where these are whole numbers: the text 12.0 is 12."""
    is_text = whole and pd.api.types.infer_dtype(ids, skipna=True) == "string"
    return without_zero_fractions(ids) if is_text else ids


def _column_of_ids(available: Sequence[str], written: ItemFormat) -> str:
    """Return the column of ids: as the run's own table calls it, or item_id where there is none such."""
    has_another = written.id_column not in available and ITEM_ID in available
    return ITEM_ID if has_another else written.id_column


def _availability(items: pd.DataFrame, about: Sequence[str], log: ProblemLog) -> list[SaidOfTimes]:
    """Return what each row says: nothing of `hidden` where it is empty, while an empty time is no limit."""
    if not about:
        return []
    said: list[SaidOfTimes] = [{} for _ in range(len(items))]
    if HIDDEN in about:
        texts = as_text(items[HIDDEN]).to_pandas().set_axis(items.index).str.lower()
        wrong = texts.notna() & ~texts.isin([*_YES, *_NO])
        log.add_rows(HIDDEN, "is neither true nor false", items[HIDDEN], wrong)
        for row, text in zip(said, texts, strict=True):
            row |= {} if pd.isna(text) else {HIDDEN: text in _YES}
    for name in (FROM, UNTIL):
        if name in about:
            found = parse_instants(items[name])
            wrong = items[name].notna() & found.isna()
            log.add_rows(
                name,
                "is not a time of 1678 to 2261 (ISO8601; without an offset it is UTC)",
                items[name],
                wrong,
            )
            seconds = found.to_numpy().view(np.int64) / 1e9
            for row, second, missing in zip(said, seconds.tolist(), found.isna(), strict=True):
                row[name] = None if missing else second
    if UNTIL in about:
        ends_first = np.array([Availability(**row).ends_first for row in said])
        log.add_rows(UNTIL, f"is not after {FROM}", items[UNTIL], ends_first)
    return said


def _as_json(frame: pd.DataFrame) -> list[Raw]:
    """Return a JSON object for each row, of what is not missing, as a request would send the item."""
    columns = {str(name): _as_sent(frame[name]) for name in frame}
    return [
        json.dumps({name: values[row] for name, values in columns.items() if values[row] is not None})
        for row in range(len(frame))
    ]


def _as_sent(column: pd.Series) -> list[Any]:
    """Return values for JSON which the workflow reads as it reads the column itself; None where missing."""
    try:
        return _of_arrow(to_arrow(column))
    except pa.ArrowException:
        # Values of several types, each of which means what it means alone.
        return [_as_sent(pd.Series([value], dtype=object))[0] for value in column]


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
    return as_text(array.to_pandas(types_mapper=pd.ArrowDtype)).to_pylist()
