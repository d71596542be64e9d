"""The reader of tables in Parquet or CSV files (source `tables`), whose columns `data.columns` describes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd
from pydantic import Field, field_validator, model_validator

from m2trec_merlin.column_names import ITEM_ID, POSITION, SESSION_ID, SPLIT, TARGET, TIMESTAMP
from m2trec_merlin.errors import DataError
from m2trec_merlin.readers.canonical import (
    KnownItems,
    digits_to_integers,
    in_plain_digits,
    normalise_ids,
)
from m2trec_merlin.readers.files.dialect import Dialect, DialectOptions
from m2trec_merlin.readers.files.table_file import TableFile
from m2trec_merlin.readers.first_rows import first_rows, usual_rows
from m2trec_merlin.readers.grouping import GroupedSessions
from m2trec_merlin.readers.kept_rows import Condition, KeptRows
from m2trec_merlin.readers.left_out import LeftOut
from m2trec_merlin.readers.positions import parse_positions
from m2trec_merlin.readers.rounded import IDS, POSITIONS
from m2trec_merlin.readers.settings import DataSettings
from m2trec_merlin.readers.shuffling import shuffle_sessions
from m2trec_merlin.readers.source import Origin
from m2trec_merlin.readers.times import ISO_8601, require_format
from m2trec_merlin.readers.user_sessions import BusiestId, UserSessions, with_all_digits
from m2trec_merlin.sections import Name, Section, SettingPath


class ColumnsConfig(Section):
    """The names of the columns of the tables."""

    session_id: Name | None = Field(
        None, description="column that names the session; default: session_id, or none with `data.sessions`"
    )
    item_id: Name = "item_id"
    order: Name | None = Field(
        None,
        description="column that orders a session's events: a position or a timestamp; default: file order",
    )
    split: Name | None = Field(None, description="column that names the split, for `split.kind: column`")
    items_item_id: Name | None = Field(
        None, description="what the items table calls `item_id`, if it calls it otherwise"
    )

    @model_validator(mode="after")
    def _sessions_are_no_items(self) -> ColumnsConfig:
        if self.session_id == self.item_id:
            raise ValueError(f"session_id and item_id both name the column '{self.item_id}'")
        return self

    @property
    def id_of_items(self) -> str:
        """The column of the items table that holds their ids."""
        return self.items_item_id or self.item_id


class TablesOptions(DialectOptions):
    """Options of this reader (`data.options`)."""

    items: DialectOptions | None = Field(
        None, description="how the items are written, if otherwise than the interactions"
    )
    time_format: Name | None = Field(
        None,
        description="`columns.order` holds times: s, ms, us, ns (since 1970), days (since any day), ISO8601 "
        "or a strptime format",
    )
    drop_unknown_items: bool = Field(
        False,
        description="leave out events of items without metadata, and those that name no item, instead of "
        "refusing them",
    )
    shuffle: bool = Field(
        False,
        description="put events of a session that `columns.order` does not tell apart in a random order: for "
        "tables that are sorted by item",
    )

    @field_validator("time_format")
    @classmethod
    def _tells_times(cls, time_format: str | None) -> str | None:
        return None if time_format is None else require_format(time_format)


class TablesData(DataSettings):
    """Interactions and items in Parquet or CSV files: two tables, or one with both."""

    source: Literal["tables"]
    interactions: SettingPath = Field(description="Parquet or CSV file or folder")
    items: SettingPath | None = Field(
        None,
        description="Parquet or CSV file or folder; default: an item is what most of its first interactions "
        "say of it (of those that say most)",
    )
    columns: ColumnsConfig = ColumnsConfig()
    sessions: UserSessions | None = Field(
        None, description="cut sessions from users and times, where no column names a session"
    )
    keep: list[Condition] = Field(
        [], description="conditions of the events that count; others are as if the file did not hold them"
    )
    options: TablesOptions = TablesOptions()

    paths: ClassVar[tuple[str, ...]] = ("interactions", "items")
    tables: ClassVar[tuple[str, ...]] = paths
    left_out_hint: ClassVar[str] = "leave these events out with data.options.drop_unknown_items: true"
    times_hint: ClassVar[str] = (
        "data.options.time_format says how times are written, such as %d/%m/%Y %H:%M:%S or ms; "
        "the years 1678 to 2261 can be read"
    )

    @property
    def names_splits(self) -> bool:
        """Whether `columns.split` is set."""
        return self.columns.split is not None

    @property
    def columns_to_keep_by(self) -> list[str]:
        """The columns that `keep` names."""
        return [condition.column for condition in self.keep]

    @property
    def grouped_by(self) -> str:
        """The column of sessions, or of users if sessions are cut from users."""
        return self.sessions.user if self.sessions else self.columns.session_id or SESSION_ID

    @property
    def items_dialect(self) -> Dialect:
        """The dialect of `options.items`, or else that of `options`."""
        section, own = "data.options.items", self.options.items
        return own.dialect(section) if own else self.options.dialect("data.options", alone=section)

    def open(self, seed: int, more: Mapping[str, str] | None = None) -> TableFiles:
        """Return the reader."""
        return TableFiles(self, more or {}, seed)

    @model_validator(mode="after")
    def _items_are_somewhere(self) -> TablesData:
        of_items = {"columns.items_item_id": self.columns.items_item_id, "options.items": self.options.items}
        given = [name for name, value in of_items.items() if value is not None]
        if self.items is None and given:
            raise ValueError(f"{' and '.join(given)}: there is no table of the items; name it in data.items")
        return self

    @model_validator(mode="after")
    def _sessions_are_cut_in_one_way(self) -> TablesData:
        problems = []
        if self.sessions and self.columns.session_id is not None:
            problems.append("columns.session_id and sessions contradict each other: give one of them")
        if self.sessions and self.columns.order is None:
            problems.append("sessions needs columns.order: the column that holds the times of events")
        if self.sessions and self.split.needs_whole_ids:
            what = "needs ids that are numbers, and sessions makes USER@START"
            problems.append(f"split.kind '{self.split.kind}' {what}")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def without_effect(self) -> list[str]:
        """See `DataSettings.without_effect`."""
        lines = []
        if self.names_splits and not self.split.is_named:
            lines.append(
                f"data.columns.split changes nothing with data.split.kind '{self.split.kind}': set kind: "
                f"column to split as the column '{self.columns.split}' says"
            )
        if self.options.time_format is not None and self.columns.order is None:
            lines.append("data.options.time_format changes nothing without data.columns.order")
        return lines

    def _no_split_column(self) -> str:
        return f"split.kind '{self.split.kind}' needs columns.split: the column that names the split"


class TableFiles:
    """A reader of interactions and items in two files or folders, or in one; implements `Source`.

    `columns.order` may hold positions (numbers) or timestamps (dates, or text that is not mostly numbers).
    Ids of sessions keep their type in the file; CSV holds text, where 12.0 means 12. Ids of items in CSV are
    whole numbers if all ids of the items table are.
    """

    def __init__(self, config: TablesData, more: Mapping[str, str], seed: int) -> None:
        self._options = config.options
        self._more, self._seed = more, seed
        self._interactions_file = TableFile(config.interactions, self._options.dialect("data.options"))
        self._items_file = (
            self._interactions_file if config.items is None else TableFile(config.items, config.items_dialect)
        )
        self._rows_of_events = KeptRows(self._interactions_file, config.keep)
        self._columns = config.columns
        self._grouped_by = config.grouped_by
        self._cut = config.sessions
        self._chunk_sessions = config.chunk_sessions
        self._groups = GroupedSessions(self._rows, config.chunk_sessions)
        self._left_out = LeftOut()
        self._busiest = BusiestId()
        self._files = list(dict.fromkeys([self._interactions_file, self._items_file]))
        self.name = " and ".join(file.path.absolute().name for file in self._files)
        self.time_format = self._options.time_format or ISO_8601

    @property
    def items_origin(self) -> Origin:
        """The origin of the items: their own file, or the interactions if there is no items table."""
        file, ids = self._items_file, {ITEM_ID: self._columns.id_of_items}
        label = f"{file.path} (no data.items is named)" if self._is_one else str(file.path)
        return Origin(label, ids, file.locate, file.columns)

    @cached_property
    def interactions_origin(self) -> Origin:
        """The origin of the interactions; reads first rows to tell whether times or numbers order events."""
        names = {SESSION_ID: self._grouped_by, ITEM_ID: self._columns.item_id}
        if self._columns.order is not None:
            names[TIMESTAMP if self._order_is_time() else POSITION] = self._columns.order
        if self._columns.split is not None:
            names[SPLIT] = self._columns.split
        names.update(self._more)
        file = self._interactions_file
        return Origin(str(file.path), names, file.locate, file.columns)

    @property
    def notices(self) -> list[str]:
        """Messages about events and files left out, an id that several may share, and unused settings."""
        files = (notice for file in self._files for notice in file.notices())
        shared = filter(None, [self._busiest.doubt(self._grouped_by)])
        left_out = self._left_out.notices(self._items_file.path.name)
        return [*self._rows_of_events.notices(), *left_out, *shared, *files, *self._unused_dialects()]

    def _unused_dialects(self) -> Iterator[str]:
        for dialect in dict.fromkeys(file.dialect for file in self._files):
            files = [file for file in self._files if file.dialect == dialect]
            if not dialect.is_usual and not any(file.text_files() for file in files):
                names = " and ".join(file.path.absolute().name for file in files)
                yield f"{dialect.options} changes nothing: it says how text is written, and {names} is none"

    def items(self, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Return the items table: ids as item_id, and those of `columns` that the file has; default: all."""
        own, available = self._columns.id_of_items, self._items_file.columns()
        # The name item_id is taken by the ids, even if the file has another column of this name.
        asked = [name for name in available if name != ITEM_ID] if columns is None else columns
        wanted = [name for name in available if name in asked]
        if own != ITEM_ID and ITEM_ID in wanted:
            what = f"'{ITEM_ID}' stands for the ids, which are in '{own}': call the other column otherwise"
            raise DataError(str(self._items_file.path), [f"{self._items_file.path}: {what}"])
        names = list(dict.fromkeys([*wanted, *([own] if own in available else [])]))
        if not names:
            return pd.DataFrame()
        if self._is_one and own in available:
            raw = first_rows(self._rows_of_events, own, names)
        else:
            exact = {own: IDS} if own in available else {}
            raw = self._items_file.read(names, single=[own], exact=exact)
        items = raw[wanted].copy()
        if own in raw:
            ids = raw[own]
            items[ITEM_ID] = ids if self._items_file.is_typed else digits_to_integers(normalise_ids(ids))
            if self._is_one:
                # Rows with 12 in one file and 12.0 in another are the same item.
                items = usual_rows(items, ITEM_ID)
        return items

    def interactions(self) -> Iterator[pd.DataFrame]:
        """Yield whole sessions, in the order in which they, or their users, begin in the file."""
        known = self._known_items()
        self._left_out, self._busiest = LeftOut(), BusiestId()
        for chunk in self._whole_sessions():
            kept = chunk if known is None or ITEM_ID not in chunk else self._left_out.drop(chunk, known)
            if len(kept):
                shuffles = self._options.shuffle and SESSION_ID in kept
                yield shuffle_sessions(kept, self._seed) if shuffles else kept

    def _whole_sessions(self) -> Iterator[pd.DataFrame]:
        available = self._interactions_file.columns()
        order, groups = self._columns.order, self._busiest.among(self._groups)
        if self._grouped_by not in available or (self._cut and order not in available):
            yield from self._rows()
        elif self._cut is None:
            yield from groups
        elif TIMESTAMP in self.interactions_origin.columns:
            # Events of unknown items also bridge a pause, so they are left out after sessions are cut.
            users = with_all_digits(groups, self.interactions_origin)
            yield from self._cut.cut(users, self.time_format, self._chunk_sessions)
        else:
            problem = (
                f"{self._interactions_file.path}, column '{order}': holds numbers, and data.sessions needs "
                "times: if this is Unix time, set data.options.time_format to s, ms, us or ns"
            )
            raise DataError(self.name, [problem])

    def state(self) -> dict[str, Any]:
        """Return name, size and modification time of every file."""
        return {"interactions": self._interactions_file.state(), "items": self._items_file.state()}

    @property
    def _is_one(self) -> bool:
        """Whether the interactions also describe the items."""
        return len(self._files) == 1

    def _rows(self) -> Iterator[pd.DataFrame]:
        available = self._interactions_file.columns()
        # A column may have several roles, such as a timestamp that also names the split.
        names = {k: v for k, v in self.interactions_origin.columns.items() if v in available}
        if not names:
            return
        own_names = list(dict.fromkeys(names.values()))
        single = [
            own for canonical, own in names.items() if canonical == TARGET or canonical not in self._more
        ]
        roles = {SESSION_ID: IDS, ITEM_ID: IDS, POSITION: POSITIONS, TIMESTAMP: POSITIONS}
        exact = {names[role]: rounding for role, rounding in roles.items() if role in names}
        for block in self._rows_of_events.blocks(own_names, single, exact):
            rows = pd.DataFrame({canonical: block[own] for canonical, own in names.items()})
            if SESSION_ID in rows and not self._interactions_file.is_typed:
                rows[SESSION_ID] = in_plain_digits(rows[SESSION_ID])
            yield rows

    def _known_items(self) -> KnownItems | None:
        if not self._options.drop_unknown_items:
            return None
        try:
            items = self.items([])
        except DataError:
            return None  # reported when the items are read
        return KnownItems(normalise_ids(items[ITEM_ID])) if ITEM_ID in items else None

    def _order_is_time(self) -> bool:
        if self._options.time_format is not None:
            return True
        column = self._columns.order
        try:
            if column is None or column not in self._interactions_file.columns():
                return False
            first = next(iter(self._interactions_file.blocks([column])))[column].dropna()
        except (DataError, StopIteration):
            return False  # reported when the table is read
        if pd.api.types.is_numeric_dtype(first):
            return False
        if pd.api.types.is_datetime64_any_dtype(first):
            return True
        return bool(len(first)) and float(np.mean(parse_positions(first).notna())) < 0.5
