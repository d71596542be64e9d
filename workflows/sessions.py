"""The sessions workflow: interactions become sessions, lists of catalogue rows.

    interactions -> number sessions -> join catalogue rows -> sort and group -> slice -> filter -> sessions

Sessions keep the order in which a part first mentions them. Attributes of events are encoded first, as those
of items are in the items workflow, and then grouped and sliced as the rows are.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    # Run as a script, perhaps where nothing is installed: this checkout is the package.
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from m2trec_merlin.preprocessing.scripts import run_sessions

    sys.exit(run_sessions())

from collections.abc import Sequence

import numpy as np
import pandas as pd
from merlin.schema import ColumnSchema, Schema, Tags
from nvtabular import ColumnSelector, Workflow
from nvtabular.ops import AddTags, Filter, Groupby, JoinExternal, ListSlice, Operator

from m2trec_merlin.attributes import Attribute
from m2trec_merlin.attributes.base import Node
from m2trec_merlin.column_names import ITEM_ID, POSITION, SESSION_ID
from m2trec_merlin.frames import Column, Frame, frames_of
from m2trec_merlin.ids import IdIndex
from m2trec_merlin.workflows.items import encoded_groups

EVENT_COLUMNS = (SESSION_ID, ITEM_ID, POSITION)


class NumberSessions(Operator):
    """Add the column `session`: 0, 1, 2, ... in the order in which a part first mentions its sessions."""

    def transform(self, col_selector: ColumnSelector, df: Frame) -> Frame:
        """Return the frame with the new column."""
        frames = frames_of(df)
        return frames.with_columns(df, {"session": frames.number(df[SESSION_ID])})

    def column_mapping(self, col_selector: ColumnSelector) -> dict[str, list[str]]:
        """All columns, and the new one made of `session_id`."""
        return {**super().column_mapping(col_selector), "session": [SESSION_ID]}

    def _compute_dtype(self, col_schema: ColumnSchema, input_schema: Schema) -> ColumnSchema:
        if col_schema.name == "session":
            return col_schema.with_dtype(np.int64)
        return super()._compute_dtype(col_schema, input_schema)


class JoinRows(JoinExternal):
    """NVTabular's JoinExternal for the rows of a catalogue; events of unknown items are dropped.

    Upstream merges each part with the table anew and sorts the result; here the table is indexed once for all
    parts.

    Args:
        rows: `item_id`, distinct, and `row`.
    """

    def __init__(self, rows: pd.DataFrame) -> None:
        super().__init__(rows, on=ITEM_ID, how="inner", columns_ext=[ITEM_ID, "row"])
        self.index = IdIndex(rows[ITEM_ID])
        self.rows = rows["row"].to_numpy()

    def transform(self, col_selector: ColumnSelector, df: Frame) -> Frame:
        """Return the events of known items with their rows."""
        frames = frames_of(df)
        positions = frames.find(df[ITEM_ID], self.index)
        known = positions >= 0
        rows = frames.values_at(self.rows, positions[known])
        return frames.with_columns(frames.keep(df, known), {"row": rows})

    def count_unknown(self, events: Frame) -> int:
        """Return how many events `transform` drops."""
        return int((frames_of(events).find(events[ITEM_ID], self.index) < 0).sum())


class GroupSessions(Groupby):
    """NVTabular's Groupby into `row_list`, `row_count` and more lists, in the order of the session numbers.

    Upstream sorts, and calls Python once for every session. Here a part that is in order is not sorted, and
    each column is cut into lists as a whole.

    Args:
        more: columns that become lists NAME_list besides.
    """

    def __init__(self, more: Sequence[str] = ()) -> None:
        super().__init__(
            groupby_cols=["session", SESSION_ID],
            sort_cols=["session", "position"],
            aggs={"row": ["list", "count"], **{name: ["list"] for name in more}},
        )
        self._values = ["row", *more]

    @property
    def dependencies(self) -> list[str]:
        """None besides the incoming columns: upstream looks for the keys among the raw ones only."""
        return []

    def transform(self, col_selector: ColumnSelector, df: Frame) -> Frame:
        """Return one line per session."""
        return frames_of(df).group(df, self.groupby_cols, self.sort_cols, self._values)


class LastEvents(ListSlice):
    """Keep the last events of each session, in all lists; other columns stay, which upstream drops."""

    def __init__(self, events: int) -> None:
        super().__init__(-events)

    def transform(self, col_selector: ColumnSelector, df: Frame) -> Frame:
        """Slice the lists."""
        frames = frames_of(df)
        lists = [name for name in df.columns if _is_list(name)]
        return frames.with_columns(df, {name: frames.last(df[name], self.max_elements) for name in lists})

    def _compute_shape(self, col_schema: ColumnSchema, input_schema: Schema) -> ColumnSchema:
        if _is_list(col_schema.name):
            return super()._compute_shape(col_schema, input_schema)
        return col_schema.with_shape(input_schema[col_schema.name].shape)

    def _compute_tags(self, col_schema: ColumnSchema, input_schema: Schema) -> ColumnSchema:
        return col_schema.with_tags([Tags.LIST] if _is_list(col_schema.name) else [])


def _is_list(column: str) -> bool:
    return column.endswith("_list")


class AtLeast:
    """Keep rows whose `column` is at least `minimum`: a filter for `nvtabular.ops.Filter`, savable."""

    def __init__(self, column: str, minimum: int) -> None:
        self.column = column
        self.minimum = minimum

    def __call__(self, frame: pd.DataFrame) -> Column:
        """Return the mask of rows to keep."""
        return frame[self.column] >= self.minimum


def sessions_workflow(
    rows: pd.DataFrame,
    min_length: int,
    max_length: int | None = None,
    attributes: Sequence[Attribute] = (),
    as_they_are: Sequence[str] = (),
    storage: Path = Path(),
) -> Workflow:
    """Compose the workflow; without attributes of events it has nothing to fit.

    Args:
        rows: `item_id` and `row`, the catalogue row of each item.
        min_length: drop sessions with fewer events.
        max_length: keep the last so many events of each session; None keeps all, since in evaluation every
            prefix of a session counts.
        attributes: of events; to be fitted on those of training.
        as_they_are: further columns of the events, which are not encoded.
        storage: folder in which fitting keeps vocabularies until the workflow is saved.
    """
    events: Node = [*EVENT_COLUMNS, *as_they_are]
    for encoded in encoded_groups(attributes, storage):
        events = encoded + events
    more = [*(attribute.name for attribute in attributes), *as_they_are]
    sessions = events >> NumberSessions() >> JoinRows(rows) >> GroupSessions(more)
    if max_length is not None:
        sessions = sessions >> LastEvents(max_length)
    return Workflow(sessions >> AddTags([Tags.SESSION]) >> Filter(AtLeast("row_count", min_length)))


def events_workflow(
    attributes: Sequence[Attribute], storage: Path, only: Sequence[str] | None = None
) -> Workflow:
    """Compose the part of the sessions workflow that encodes attributes of events, which a server needs.

    Args:
        attributes: of events.
        storage: see `sessions_workflow`.
        only: names of those that are wanted; who shares a vocabulary with one comes along. None for all.
    """
    by_name = {attribute.name: attribute for attribute in attributes}
    owners = {a.vocabulary_owner(by_name) for a in attributes if only is None or a.name in only}
    wanted = [a for a in attributes if a.vocabulary_owner(by_name) in owners]
    first, *others = encoded_groups(wanted, storage)
    return Workflow(sum(others, first))
