"""The sessions workflow: interactions become sessions, which are lists of catalogue rows.

    interactions -> number sessions -> join catalogue rows -> sort and group -> slice -> filter -> sessions

Within a part of the data, sessions keep the order of their first mention. Attributes of events are encoded
first, like attributes of items in the items workflow; then they are grouped and sliced like the rows.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    # As a script, this may run where the package is not installed: import it from this checkout.
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
    """Add the column `session`, which numbers the sessions of a part 0, 1, 2, ... by first mention."""

    def transform(self, col_selector: ColumnSelector, df: Frame) -> Frame:
        """Return the frame with the new column."""
        frames = frames_of(df)
        return frames.with_columns(df, {"session": frames.number(df[SESSION_ID])})

    def column_mapping(self, col_selector: ColumnSelector) -> dict[str, list[str]]:
        """Map every column to itself, and the new column to `session_id`."""
        return {**super().column_mapping(col_selector), "session": [SESSION_ID]}

    def _compute_dtype(self, col_schema: ColumnSchema, input_schema: Schema) -> ColumnSchema:
        if col_schema.name == "session":
            return col_schema.with_dtype(np.int64)
        return super()._compute_dtype(col_schema, input_schema)


class JoinRows(JoinExternal):
    """Add the catalogue row of each event's item, as NVTabular's JoinExternal; drop events of unknown items.

    Upstream merges the table with each part again and sorts the result; here the table is indexed once for
    all parts.

    Args:
        rows: a table of distinct `item_id` and their `row`.
    """

    def __init__(self, rows: pd.DataFrame) -> None:
        super().__init__(rows, on=ITEM_ID, how="inner", columns_ext=[ITEM_ID, "row"])
        self.index = IdIndex(rows[ITEM_ID])
        self.rows = rows["row"].to_numpy()

    def transform(self, col_selector: ColumnSelector, df: Frame) -> Frame:
        """Return the events of known items, with their catalogue rows."""
        frames = frames_of(df)
        positions = frames.find(df[ITEM_ID], self.index)
        known = positions >= 0
        rows = frames.values_at(self.rows, positions[known])
        return frames.with_columns(frames.keep(df, known), {"row": rows})

    def count_unknown(self, events: Frame) -> int:
        """Return how many events `transform` drops."""
        return int((frames_of(events).find(events[ITEM_ID], self.index) < 0).sum())


class GroupSessions(Groupby):
    """Group events to one line per session, as NVTabular's Groupby, in the order of the session numbers.

    The columns are `row_list`, `row_count` and further lists. Upstream sorts, and calls Python once per
    session. Here a part in order is not sorted, and each column is cut into lists at once.

    Args:
        more: names of further columns that become lists NAME_list.
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
        """No dependencies but the incoming columns: upstream looks for the keys among raw columns only."""
        return []

    def transform(self, col_selector: ColumnSelector, df: Frame) -> Frame:
        """Return one line per session."""
        return frames_of(df).group(df, self.groupby_cols, self.sort_cols, self._values)


class LastEvents(ListSlice):
    """Keep the last events of each session, in all list columns; upstream drops the other columns."""

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
    """A savable filter for `nvtabular.ops.Filter`: keep rows whose `column` is at least `minimum`."""

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
    """Compose the sessions workflow; without attributes of events it has nothing to fit.

    Args:
        rows: a table of `item_id` and `row`, the catalogue row of each item.
        min_length: the fewest events of a session; shorter sessions are dropped.
        max_length: the number of events kept at the end of each session. None keeps all, because evaluation
            counts every prefix of a session.
        attributes: the attributes of events, to be fitted on training events.
        as_they_are: names of further columns of the events, which are not encoded.
        storage: the folder where fitting keeps vocabularies until the workflow is saved.
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
    """Compose the part of the sessions workflow that a server needs: it encodes attributes of events.

    Args:
        attributes: the attributes of events.
        storage: see `sessions_workflow`.
        only: names of the attributes to encode, besides those that share a vocabulary with one; None: all.
    """
    by_name = {attribute.name: attribute for attribute in attributes}
    owners = {a.vocabulary_owner(by_name) for a in attributes if only is None or a.name in only}
    wanted = [a for a in attributes if a.vocabulary_owner(by_name) in owners]
    first, *others = encoded_groups(wanted, storage)
    return Workflow(sum(others, first))
