"""The sessions workflow: interactions become sessions, lists of catalogue rows.

    interactions -> number sessions -> join catalogue rows -> sort and group -> slice -> filter -> sessions

Every part file of data/interactions holds whole sessions and becomes one part file of sessions; no more than
one part is in memory in each process. Sessions keep the order in which the files first mention them.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    # Run as a script, perhaps where nothing is installed: this checkout is the package.
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from m2trec_merlin.preprocessing.scripts import run_sessions

    sys.exit(run_sessions())

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from merlin.schema import ColumnSchema, Schema, Tags
from nvtabular import ColumnSelector, Workflow
from nvtabular.ops import AddTags, Filter, Groupby, JoinExternal, ListSlice, Operator

from m2trec_merlin.columns import to_arrow
from m2trec_merlin.ids import IdIndex
from m2trec_merlin.merlin_adapter import transform_some
from m2trec_merlin.sessions import ragged_positions
from m2trec_merlin.workflows.operators import AtLeast

EVENT_COLUMNS = ("session_id", "item_id", "position")


class NumberSessions(Operator):
    """Add the column `session`: 0, 1, 2, ... in the order in which a part first mentions its sessions."""

    def transform(self, col_selector: ColumnSelector, df: Any) -> Any:
        """Return the frame with the new column."""
        numbered = df.copy(deep=False)
        numbered["session"] = self.number(df["session_id"])
        return numbered

    def number(self, ids: Any) -> Any:
        """Return the numbers of the sessions, int64."""
        if isinstance(ids, pd.Series) and (numbers := _number_runs(ids)) is not None:
            return numbers
        return ids.factorize()[0].astype("int64")

    def column_mapping(self, col_selector: ColumnSelector) -> dict[str, list[str]]:
        """All columns, and the new one made of `session_id`."""
        return {**super().column_mapping(col_selector), "session": ["session_id"]}

    def _compute_dtype(self, col_schema: ColumnSchema, input_schema: Schema) -> ColumnSchema:
        if col_schema.name == "session":
            return col_schema.with_dtype(np.int64)
        return super()._compute_dtype(col_schema, input_schema)


def _number_runs(ids: pd.Series) -> np.ndarray | None:
    """Number runs of equal ids; None where a session has several runs, or an id is null."""
    codes = ids.cat.codes if isinstance(ids.dtype, pd.CategoricalDtype) else ids
    values = codes.to_numpy()
    begins = np.append(True, values[1:] != values[:-1])[: len(values)]
    heads = ids[begins]
    if heads.hasnans or not heads.is_unique:
        return None
    return np.cumsum(begins) - 1


class JoinRows(JoinExternal):
    """NVTabular's JoinExternal for the rows of a catalogue; events of unknown items are dropped.

    On pandas frames, NVTabular merges each part with the table anew and sorts the result; here the table is
    indexed once for all parts.

    Args:
        rows: `item_id`, distinct, and `row`.
    """

    def __init__(self, rows: pd.DataFrame) -> None:
        super().__init__(rows, on="item_id", how="inner", columns_ext=["item_id", "row"])
        self.index = IdIndex(rows["item_id"])
        self.rows = rows["row"].to_numpy()

    def transform(self, col_selector: ColumnSelector, df: Any) -> Any:
        """Return the events of known items with their rows."""
        if not isinstance(df, pd.DataFrame):
            return super().transform(col_selector, df)
        positions = self.index.find(df["item_id"])
        known = positions >= 0
        joined = df.copy(deep=False) if known.all() else df[known].reset_index(drop=True)
        joined["row"] = self.rows[positions if len(joined) == len(df) else positions[known]]
        return joined

    def count_unknown(self, item_ids: Any) -> int:
        """Return how many events `transform` drops."""
        host = item_ids if isinstance(item_ids, pd.Series) else item_ids.to_pandas()
        return int((self.index.find(host) < 0).sum())


class GroupSessions(Groupby):
    """NVTabular's Groupby into `row_list` and `row_count`, in the order of the session numbers.

    On pandas frames, NVTabular sorts, and calls Python once for every session. Here a part that is in order
    is not sorted, and the column is cut into lists as a whole: an Arrow column, no object per session.
    """

    def __init__(self) -> None:
        super().__init__(
            groupby_cols=["session", "session_id"],
            sort_cols=["session", "position"],
            aggs={"row": ["list", "count"]},
        )

    @property
    def dependencies(self) -> list[str]:
        """None besides the incoming columns: upstream looks for the keys among the raw ones only."""
        return []

    def transform(self, col_selector: ColumnSelector, df: Any) -> Any:
        """Return one line per session."""
        if not isinstance(df, pd.DataFrame):
            return super().transform(col_selector, df)
        events = df if self.in_order(df) else df.sort_values(self.sort_cols, ignore_index=True)
        number = events["session"].to_numpy()
        starts = np.flatnonzero(np.diff(number, prepend=-1))
        offsets = np.append(starts, len(number))
        sessions = events[self.groupby_cols].take(starts).reset_index(drop=True)
        sessions["row_list"] = list_column(offsets, events["row"].to_numpy())
        sessions["row_count"] = np.diff(offsets).astype(np.int32)
        return sessions

    def in_order(self, events: pd.DataFrame) -> bool:
        """Tell whether sorting would change nothing."""
        major, minor = (events[name].to_numpy() for name in self.sort_cols)
        later = major[1:] > major[:-1]
        return bool((later | ((major[1:] == major[:-1]) & (minor[1:] >= minor[:-1]))).all())


def list_column(offsets: np.ndarray, values: np.ndarray) -> Any:
    """Return lists as a pandas array that Arrow holds, without an object per list."""
    lists = pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(values))
    return pd.arrays.ArrowExtensionArray(lists)  # type: ignore[attr-defined]  # unknown to pandas-stubs


class LastEvents(ListSlice):
    """Keep the last events of each session."""

    def __init__(self, events: int) -> None:
        super().__init__(-events)

    def transform(self, col_selector: ColumnSelector, df: Any) -> Any:
        """Slice the lists; the other columns stay."""
        if not isinstance(df, pd.DataFrame):
            return transform_some(super().transform, ["row_list"], df)
        lists = to_arrow(df["row_list"])
        lengths = lists.value_lengths().to_numpy(zero_copy_only=False)
        kept = np.minimum(lengths, self.max_elements)
        ends = lists.offsets.to_numpy()[1:]
        rows = lists.values.to_numpy()[ragged_positions(ends - kept, kept)]
        sliced = df.copy(deep=False)
        sliced["row_list"] = list_column(np.append(0, np.cumsum(kept)), rows)
        return sliced

    def _compute_shape(self, col_schema: ColumnSchema, input_schema: Schema) -> ColumnSchema:
        if col_schema.name == "row_list":
            return super()._compute_shape(col_schema, input_schema)
        return col_schema.with_shape(input_schema[col_schema.name].shape)

    def _compute_tags(self, col_schema: ColumnSchema, input_schema: Schema) -> ColumnSchema:
        return col_schema.with_tags([Tags.LIST] if col_schema.name == "row_list" else [])


def sessions_workflow(rows: pd.DataFrame, min_length: int, max_length: int | None = None) -> Workflow:
    """Compose the workflow; it has nothing to fit.

    Args:
        rows: `item_id` and `row`, the catalogue row of each item.
        min_length: drop sessions with fewer events.
        max_length: keep the last so many events of each session; None keeps all, since in evaluation every
            prefix of a session counts.
    """
    events = list(EVENT_COLUMNS) >> NumberSessions() >> JoinRows(rows)
    sessions = events >> GroupSessions()
    if max_length is not None:
        sessions = sessions >> LastEvents(max_length)
    return Workflow(sessions >> AddTags([Tags.SESSION]) >> Filter(AtLeast("row_count", min_length)))
