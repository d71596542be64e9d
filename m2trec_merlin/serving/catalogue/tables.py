"""Reading of item tables that change a catalogue, with the same checks as for the tables of a run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from m2trec_merlin.attributes import Attribute, parse_attribute
from m2trec_merlin.column_names import ITEM_ID
from m2trec_merlin.columns import as_category
from m2trec_merlin.contract.catalogue import Availability, AvailabilityChange
from m2trec_merlin.contract.item_format import ItemFormat
from m2trec_merlin.data.tables import canonical_items
from m2trec_merlin.data.validation import check_item_ids, check_items, doubts_of_items
from m2trec_merlin.errors import DataError
from m2trec_merlin.readers.canonical import in_plain_digits, normalise_ids
from m2trec_merlin.readers.files.dialect import Dialect
from m2trec_merlin.readers.files.table_file import TableFile
from m2trec_merlin.readers.problems import ProblemLog, describe_missing_column
from m2trec_merlin.readers.rounded import IDS
from m2trec_merlin.readers.source import Origin
from m2trec_merlin.readers.times import parse_instants, without_end
from m2trec_merlin.serving.catalogue.raw_items import Raw, as_raw, described_columns, is_bare
from m2trec_merlin.serving.runtime.notes import name_some

_ABOUT = HIDDEN, FROM, UNTIL = "hidden", "available_from", "available_until"
_ROW_NUMBERS = "__index_level_"
_YES, _NO = ("true", "1", "yes"), ("false", "0", "no")


@dataclass(frozen=True)
class GivenItems:
    """The contents of an item table.

    Attributes:
        ids: ids of the rows, as text.
        items: raw attributes by id; empty if the table has no column that describes items.
        availability: changes of availability by id; empty if the table has no column about it.
        notices: messages on what was ignored, and on what looks odd.
    """

    ids: list[str]
    items: dict[str, Raw]
    availability: dict[str, AvailabilityChange]
    notices: list[str]


def read_items(path: Path, written: ItemFormat) -> GivenItems:
    """Read a table of items that describes them whole.

    Args:
        path: a Parquet or CSV file, or a folder of them.
        written: format of the table.

    Raises:
        DataError: anything in the table is wrong; lists all problems.
    """
    table = _ItemTable.read(path, written)
    return table.given(_attributes(written), written.title_column)


def read_changes(path: Path, written: ItemFormat) -> GivenItems:
    """Read a table that may lack columns that describe items, or all of them if it tells of availability.

    Args:
        path: a Parquet or CSV file, or a folder of them.
        written: format of the table.

    Raises:
        DataError: anything in the table is wrong; lists all problems.
    """
    table = _ItemTable.read(path, written)
    columns, there = table.columns, table.items.columns
    if columns.describe_items:
        attributes = [each for each in _attributes(written) if each.source_column in there]
        return table.given(attributes, written.title_column if written.title_column in there else None)
    if not columns.about:
        known = ", ".join(dict.fromkeys([*columns.described, *_ABOUT]))
        available = ", ".join(columns.available)
        table.log.add(f"holds no column that an update could take: those are {known}; there are {available}")
    return table.given(None, None)


def _attributes(written: ItemFormat) -> list[Attribute]:
    return [parse_attribute(**settings) for settings in written.attributes]


@dataclass(frozen=True)
class _ItemTable:
    """An item table as it was read, before its checks.

    Attributes:
        path: where it lies.
        file: the file, or files.
        columns: its columns by their meaning.
        items: its used columns, with ids in `item_id`.
        log: receives what is wrong.
    """

    path: Path
    file: TableFile
    columns: _Columns
    items: pd.DataFrame
    log: ProblemLog

    @classmethod
    def read(cls, path: Path, written: ItemFormat) -> _ItemTable:
        file = _open(path, written)
        columns = _Columns.of(file.columns(), written)
        ids = {columns.ids: IDS} if columns.ids in columns.read else {}
        raw = file.read(columns.read, single=ids, exact=ids)
        origin = Origin(str(path), {ITEM_ID: columns.ids}, file.locate, lambda: columns.available)
        return cls(path, file, columns, columns.named(raw, written.whole_ids), ProblemLog(origin))

    def given(self, attributes: Sequence[Attribute] | None, title_column: str | None) -> GivenItems:
        """Check the table and return its contents.

        Args:
            attributes: the attributes that it describes; None if it does not describe items.
            title_column: the column of titles that it has to have.

        Raises:
            DataError: anything in the table is wrong.
        """
        if attributes is None:
            check_item_ids(self.items, self.log)
        else:
            check_items(self.items, self.log, attributes, title_column)
        availability = _availability(self.items, self.columns.about, self.log)
        if problems := self.log.messages():
            raise DataError(str(self.path), problems)
        ids = [str(item_id) for item_id in normalise_ids(self.items[ITEM_ID])]
        rows: dict[str, Raw] = {}
        if attributes is not None:
            canonical = canonical_items(self.items.drop(columns=self.columns.about), attributes, title_column)
            rows = dict(zip(ids, as_raw(canonical.drop(columns=ITEM_ID)), strict=True))
        return GivenItems(
            ids,
            rows,
            dict(zip(ids, availability, strict=False)),
            [
                *self.file.notices(),
                *(f"{self.path}: {each}" for each in self._notices(rows)),
                *doubts_of_items(self.items, ids, attributes or (), self.log.origin),
            ],
        )

    def _notices(self, rows: dict[str, Raw]) -> Iterator[str]:
        if self.columns.left:
            yield f"not read: {', '.join(self.columns.left)}"
        if self.columns.taken:
            named = f"{', '.join(self.columns.taken)} of this table"
            yield f"{named} describes items, as in the run's own, and says nothing of when they are available"
        if not rows:
            return
        if staying := self.columns.staying:
            yield f"gives no {', '.join(staying)}, which {'stays' if len(staying) == 1 else 'stay'} so"
        elif bare := [item_id for item_id, raw in rows.items() if is_bare(raw)]:
            yield f"nothing describes {name_some(bare)}: all of their attributes count as missing"


def _open(path: Path, written: ItemFormat) -> TableFile:
    # The dialect is that of the export, so error messages must not refer to settings of a configuration.
    return TableFile(path, replace(Dialect(**written.dialect), options=None))


@dataclass(frozen=True)
class _Columns:
    """The columns of an item table by their meaning.

    Attributes:
        available: all columns of the table.
        ids: name of the column of ids, which may be missing.
        described: names of columns that attributes and titles are made of, some of which may be missing.
        about: columns of the table about availability.
    """

    available: list[str]
    ids: str
    described: list[str]
    about: list[str]

    @classmethod
    def of(cls, available: list[str], written: ItemFormat) -> _Columns:
        described = described_columns(written)
        about = [name for name in _ABOUT if name in available and name not in described]
        return cls(available, _column_of_ids(available, written), described, about)

    @property
    def read(self) -> list[str]:
        """Columns that are used; at least one, so that the checks can report which columns are missing."""
        used = (self.ids, *self.described, *self.about)
        return [name for name in self.available if name in used] or self.available[:1]

    @property
    def taken(self) -> list[str]:
        """Columns with a name for availability that describe items instead."""
        return [name for name in _ABOUT if name in self.available and name in self.described]

    @property
    def left(self) -> list[str]:
        """Columns that are not used, except row numbers, which pandas writes by default."""
        unread = (name for name in self.available if name not in self.read)
        return [name for name in unread if not name.startswith(_ROW_NUMBERS)]

    @property
    def staying(self) -> list[str]:
        """Columns that describe items and that the table lacks."""
        return [name for name in self.described if name not in {*self.available, self.ids}]

    @property
    def describe_items(self) -> bool:
        """Whether the table has columns that describe items."""
        return any(name in self.available for name in self.described if name != self.ids)

    def named(self, raw: pd.DataFrame, whole: bool) -> pd.DataFrame:
        """Return a table with ids in a column `item_id`; their own column stays if an attribute reads it.

        Args:
            raw: the table as it was read.
            whole: whether all ids of the run are whole numbers, see `ItemFormat.whole_ids`.
        """
        if self.ids not in raw:
            return raw
        ids = _as_the_run(raw[self.ids], whole)
        left = raw.assign(**{self.ids: ids}) if self.ids in self.described else raw.drop(columns=self.ids)
        return left.assign(**{ITEM_ID: ids})


def read_ids(path: Path, written: ItemFormat) -> list[str]:
    """Read only the ids of an item table, each once, though several rows may have it.

    Raises:
        DataError: the table has no column of ids, or ids are missing.
    """
    table = _open(path, written)
    available = table.columns()
    own = _column_of_ids(available, written)
    if own not in available:
        missing = describe_missing_column(own, available, "names the items")
        raise DataError(str(path), [f"{path}: {missing}"])
    ids = table.read([own], single=[own], exact={own: IDS})[own]
    items = pd.DataFrame({ITEM_ID: _as_the_run(ids, written.whole_ids)})
    log = ProblemLog(Origin(str(path), {ITEM_ID: own}, table.locate, lambda: available))
    check_item_ids(items, log, may_repeat=True)
    if problems := log.messages():
        raise DataError(str(path), problems)
    return list(dict.fromkeys(str(item_id) for item_id in normalise_ids(items[ITEM_ID])))


def _as_the_run(ids: pd.Series, whole: bool) -> pd.Series:
    """Return ids as the run would have read them; where its ids are whole numbers, the text 12.0 is 12."""
    is_text = whole and pd.api.types.infer_dtype(ids, skipna=True) == "string"
    return in_plain_digits(ids) if is_text else ids


def _column_of_ids(available: Sequence[str], written: ItemFormat) -> str:
    """Return the name of the column of ids: that of the run's own table, or else item_id if it is there."""
    has_another = written.id_column not in available and ITEM_ID in available
    return ITEM_ID if has_another else written.id_column


def _availability(items: pd.DataFrame, about: Sequence[str], log: ProblemLog) -> list[AvailabilityChange]:
    """Return each row's changes of availability; an empty `hidden` is no change, an empty time no limit."""
    if not about:
        return []
    said: list[AvailabilityChange] = [{} for _ in range(len(items))]
    if HIDDEN in about:
        texts = as_category(items[HIDDEN]).to_pandas().set_axis(items.index).str.lower()
        wrong = texts.notna() & ~texts.isin([*_YES, *_NO])
        log.add_rows(HIDDEN, "is neither true nor false", items[HIDDEN], wrong)
        for row, text in zip(said, texts, strict=True):
            row |= {} if pd.isna(text) else {HIDDEN: text in _YES}
    for name in (FROM, UNTIL):
        if name in about:
            found = parse_instants(items[name])
            wrong = items[name].notna() & found.isna()
            if name == UNTIL:
                wrong &= ~without_end(items[name])
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
