"""The sessions workflow: interactions become sessions, lists of catalogue rows.

    interactions -> number sessions -> join catalogue rows -> sort and group -> slice -> filter -> sessions

Every part file of data/interactions holds whole sessions and becomes one part file of sessions; no more than
one part is in memory in each process. Sessions keep the order in which the files first mention them.
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
    from m2trec_merlin.workflows.script import run_sessions

    sys.exit(run_sessions())

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from dask import delayed
from merlin.schema import ColumnSchema, Schema, Tags
from nvtabular import ColumnSelector, Workflow
from nvtabular.ops import AddTags, Filter, Groupby, JoinExternal, ListSlice, Operator

from m2trec_merlin.config import Config
from m2trec_merlin.errors import DataError
from m2trec_merlin.merlin_adapter import dataset_of_parts, transform_some
from m2trec_merlin.workflows.cluster import Report, ignore_progress, run
from m2trec_merlin.workflows.events import SPLITS, count_items, find_parts
from m2trec_merlin.workflows.operators import AtLeast

EVENT_COLUMNS = ("session_id", "item_id", "position")


class NumberSessions(Operator):
    """Add the column `session`: 0, 1, 2, ... in the order in which a part first mentions its sessions."""

    def transform(self, col_selector: ColumnSelector, df: Any) -> Any:
        """Return the frame with the new column."""
        numbered = df.copy(deep=False)
        numbered["session"] = df["session_id"].factorize()[0].astype("int64")
        return numbered

    def column_mapping(self, col_selector: ColumnSelector) -> dict[str, list[str]]:
        """All columns, and the new one made of `session_id`."""
        return {**super().column_mapping(col_selector), "session": ["session_id"]}

    def _compute_dtype(self, col_schema: ColumnSchema, input_schema: Schema) -> ColumnSchema:
        if col_schema.name == "session":
            return col_schema.with_dtype(np.int64)
        return super()._compute_dtype(col_schema, input_schema)


class GroupSessions(Groupby):
    """NVTabular's Groupby into `row_list` and `row_count`, in the order of the session numbers.

    On pandas frames, NVTabular calls Python once for every session; here the sorted column is cut into lists
    as a whole, about ten times as fast.
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
        events = df.sort_values(self.sort_cols, ignore_index=True)
        number = events["session"].to_numpy()
        starts = np.flatnonzero(np.diff(number, prepend=-1))
        offsets = np.append(starts, len(number))
        sessions = events.loc[starts, self.groupby_cols].reset_index(drop=True)
        lists = pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(events["row"]))
        sessions["row_list"] = lists.to_pandas()
        sessions["row_count"] = np.diff(offsets).astype(np.int32)
        return sessions


class LastEvents(ListSlice):
    """Keep the last events of each session."""

    def __init__(self, events: int) -> None:
        super().__init__(-events)

    def transform(self, col_selector: ColumnSelector, df: Any) -> Any:
        """Slice the lists; the other columns stay."""
        return transform_some(super().transform, ["row_list"], df)

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
    events = (
        list(EVENT_COLUMNS)
        >> NumberSessions()
        >> JoinExternal(rows, on="item_id", how="inner", columns_ext=["item_id", "row"])
    )
    sessions = events >> GroupSessions()
    if max_length is not None:
        sessions = sessions >> LastEvents(max_length)
    return Workflow(sessions >> AddTags([Tags.SESSION]) >> Filter(AtLeast("row_count", min_length)))


def build_sessions(
    config: Config,
    data: Path,
    catalogue: Path,
    output: Path,
    client: Any = None,
    report: Report = ignore_progress,
) -> dict[str, Any]:
    """Write the sessions of each split, in rows of a finished catalogue.

    Args:
        config: `data.min_session_length` and `data.max_session_length` are used.
        data: folder that `m2trec data` wrote.
        catalogue: folder that `build_catalogue` wrote.
        output: folder to write `train`, `valid` and `test` into.
        client: of the Dask cluster to run on; None runs in this process.
        report: told about progress.

    Returns:
        For each split: sessions, events, and events of unknown items, which were dropped.

    Raises:
        DataError: a part of the interactions holds no item of the catalogue.
    """
    items = pq.read_table(catalogue / "items.parquet", columns=["item_id"]).to_pandas()
    rows = items.assign(row=np.arange(1, len(items) + 1, dtype=np.int64))
    facts = {}
    for split in SPLITS:
        parts = find_parts(data, split)
        unknown = _count_unknown(parts, rows["item_id"])
        longest = config.data.max_session_length if split == "train" else None
        workflow = sessions_workflow(rows, config.data.min_session_length, longest)
        sessions = workflow.transform(dataset_of_parts(parts, EVENT_COLUMNS)).to_ddf()
        folder = output / split
        folder.mkdir(parents=True)
        pairs = zip(sessions.to_delayed(), parts, strict=True)
        tasks = [delayed(write_part)(frame, str(folder / part.name)) for frame, part in pairs]
        written = run(tasks, client, f"sessions, {split}", report)
        facts[split] = {
            "sessions": sum(count for count, _ in written),
            "events": sum(events for _, events in written),
            "unknown_items_dropped": unknown,
        }
    return facts


def _count_unknown(parts: list[Path], known: pd.Series) -> int:
    unknown = 0
    for part in parts:
        counts = count_items([part])
        strange = counts[~counts.index.isin(known)]
        if len(strange) == len(counts):
            raise DataError(str(part), ["holds no item of the catalogue: run `m2trec data --force`"])
        unknown += int(strange.sum())
    return unknown


def write_part(sessions: Any, path: str) -> tuple[int, int]:
    """Write one part of the sessions; return how many sessions and events it holds."""
    host = sessions if isinstance(sessions, pd.DataFrame) else sessions.to_pandas()
    rows = pa.array(host["row_list"], pa.list_(pa.int64()))
    table = pa.table({"session_id": pa.array(host["session_id"]), "row": rows})
    pq.write_table(table, path)
    return len(table), len(rows.flatten())
