from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from merlin.io import Dataset
from nvtabular import ColumnSelector
from nvtabular.ops import Groupby, JoinExternal, ListSlice

from m2trec_merlin.errors import DataError
from m2trec_merlin.frames.pandas_frames import PandasFrames, _is_in_order, list_column, number_runs
from m2trec_merlin.preprocessing.sessions import build_sessions
from m2trec_merlin.preprocessing.workers import ALONE
from m2trec_merlin.sessions import Sessions
from m2trec_merlin.workflows.sessions import (
    GroupSessions,
    JoinRows,
    LastEvents,
    sessions_workflow,
)

ROWS = pd.DataFrame({"item_id": [10, 11, 12, 13], "row": [2, 1, 3, 4]})


@pytest.fixture
def catalogue(tmp_path):
    """The rows 1, 2, 3, 4, 5 are the items 11, 10, 12, 13, 14."""
    folder = tmp_path / "catalogue"
    folder.mkdir()
    pd.DataFrame({"item_id": [11, 10, 12, 13, 14]}).to_parquet(folder / "items.parquet")
    return folder


def as_lists(directory) -> list[list[int]]:
    sessions = Sessions.load(directory)
    return [list(sessions[i]) for i in range(len(sessions))]


def test_events_become_rows_in_the_order_of_positions_and_files(tmp_path, write, configure, catalogue):
    facts = build_sessions(configure(tmp_path), write(tmp_path), catalogue, tmp_path / "out", ALONE, None)
    # Training keeps the last two events of a session, validation and test keep all.
    assert as_lists(tmp_path / "out" / "train") == [[1, 2], [3, 1]]
    assert as_lists(tmp_path / "out" / "valid") == [[1, 4]]
    assert as_lists(tmp_path / "out" / "test") == [[2, 5, 4], [3, 3]]
    numbers = {"sessions": 2, "events": 4, "unknown_items_dropped": 0}
    assert facts["train"] == {**numbers, "max_session_length": 2, "cut_events": 1}
    names = [pq.read_table(p)["session_id"].to_pylist() for p in sorted((tmp_path / "out/train").iterdir())]
    assert names == [["b"], ["a"]]


def test_a_part_of_interactions_is_a_part_of_sessions(tmp_path, write, configure, catalogue):
    sessions = {split: {i: [10, 11] for i in range(5)} for split in ("train", "valid", "test")}
    data = write(tmp_path, sessions=sessions, sessions_per_part=2)
    build_sessions(configure(tmp_path), data, catalogue, tmp_path / "out", ALONE, None)
    sizes = [pq.read_table(p).num_rows for p in sorted((tmp_path / "out" / "train").iterdir())]
    assert sizes == [2, 2, 1]
    schema = pq.read_schema(tmp_path / "out" / "train" / "part-00000.parquet")
    assert (
        str(schema.field("row").type).startswith("list<") and schema.field("row").type.value_type == "int64"
    )


def test_unknown_items_are_dropped_and_counted(tmp_path, write, configure, catalogue):
    known = {"s": [10, 11]}
    test = {"c": [99, 10, 99, 13], "d": [12, 98]}
    data = write(tmp_path, sessions={"train": known, "valid": known, "test": test}, sessions_per_part=2)
    facts = build_sessions(configure(tmp_path), data, catalogue, tmp_path / "out", ALONE, None)
    # Session d is left with one event, which has no next item.
    assert as_lists(tmp_path / "out" / "test") == [[2, 4]]
    assert facts["test"] == {"sessions": 1, "events": 2, "unknown_items_dropped": 3}


def test_a_part_without_any_known_item_is_refused(tmp_path, write, configure, catalogue):
    data = write(tmp_path, sessions={"train": {"s": [98, 99]}})
    with pytest.raises(DataError, match=r"part-00000\.parquet.*\n.*holds no item of the catalogue"):
        build_sessions(configure(tmp_path), data, catalogue, tmp_path / "out", ALONE, None)


def test_short_sessions_are_filtered(tmp_path, write, configure, catalogue):
    sessions = {"s": [10, 11], "t": [13, 10, 11, 12]}
    data = write(
        tmp_path, sessions={"train": sessions, "valid": sessions, "test": sessions}, sessions_per_part=2
    )
    config = configure(tmp_path, min_session_length=3, max_session_length=3)
    facts = build_sessions(config, data, catalogue, tmp_path / "out", ALONE, None)
    assert as_lists(tmp_path / "out" / "train") == [[2, 1, 3]]
    assert facts["valid"]["sessions"] == 1


def test_a_part_may_lose_all_its_sessions(tmp_path, write, configure, catalogue):
    sessions = {split: {"s": [10, 11]} for split in ("train", "valid", "test")}
    data = write(tmp_path, sessions=sessions)
    build_sessions(
        configure(tmp_path, min_session_length=3, max_session_length=3),
        data,
        catalogue,
        tmp_path / "out",
        ALONE,
        None,
    )
    assert as_lists(tmp_path / "out" / "train") == []


session_ids = st.sampled_from(["x", "b", "m", "a"])
events = st.lists(st.tuples(session_ids, st.sampled_from([10, 11, 12, 13, 99])), min_size=1, max_size=20)


@settings(max_examples=25)
@given(events, st.integers(1, 3), st.none() | st.integers(1, 3), st.randoms())
def test_the_workflow_equals_a_plain_groupby(pairs, min_length, max_length, random):
    frame = pd.DataFrame(pairs, columns=["session_id", "item_id"])
    frame["position"] = random.sample(range(100), len(frame))
    row_of = dict(zip(ROWS["item_id"], ROWS["row"], strict=True))

    expected = []
    for name in dict.fromkeys(frame["session_id"]):
        session = frame[frame["session_id"] == name].sort_values("position")
        rows = [row_of[item] for item in session["item_id"] if item in row_of]
        if len(rows) >= min_length:
            expected.append((name, rows if max_length is None else rows[-max_length:]))

    if set(frame["item_id"]) == {99}:
        return  # refused before the workflow runs
    workflow = sessions_workflow(ROWS, min_length, max_length)
    result = workflow.transform(Dataset(frame)).to_ddf().compute(scheduler="synchronous")
    found = [(name, list(rows)) for name, rows in zip(result["session_id"], result["row_list"], strict=True)]
    assert found == expected


@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 9)), min_size=1, max_size=15))
def test_grouping_equals_that_of_nvtabular(pairs):
    frame = pd.DataFrame(pairs, columns=["session", "row"])
    frame["session_id"] = "s" + frame["session"].astype(str)
    frame["position"] = np.arange(len(frame))
    ours = GroupSessions()
    theirs = Groupby(
        groupby_cols=["session", "session_id"],
        sort_cols=["session", "position"],
        aggs={"row": ["list", "count"]},
    )
    selector = ColumnSelector(["session", "session_id", "position", "row"])
    mine, upstream = ours.transform(selector, frame), theirs.transform(selector, frame)
    mine["row_list"] = mine["row_list"].map(list)
    pd.testing.assert_frame_equal(mine[list(upstream.columns)], upstream)


@st.composite
def grouped_events(draw):
    """Events whose sessions may be mixed up, with positions that may repeat."""
    drawn = draw(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3), st.integers(1, 9)), min_size=1))
    drawn = sorted(drawn, key=lambda event: event[:2]) if draw(st.booleans()) else drawn
    frame = pd.DataFrame(drawn, columns=["session", "position", "row"])
    frame["session_id"] = ("s" + frame["session"].astype(str)).astype(
        draw(st.sampled_from([object, "category"]))
    )
    return frame


@given(grouped_events())
def test_grouping_equals_plain_pandas_in_order_or_not(frame):
    plain = frame.sort_values(["session", "position"], kind="stable").groupby("session")["row"].agg(list)
    grouped = GroupSessions().transform(ColumnSelector(list(frame.columns)), frame)
    assert list(grouped["session"]) == list(plain.index)
    assert [list(rows) for rows in grouped["row_list"]] == list(plain)
    assert list(grouped["row_count"]) == list(map(len, plain))
    assert list(grouped["session_id"]) == [f"s{number}" for number in plain.index]


@given(grouped_events())
def test_events_in_order_are_those_that_sorting_leaves(frame):
    # The row labels show what moved; a stable sort leaves equals where they are.
    by_sorting = frame.sort_values(["session", "position"], kind="stable").index.tolist()
    assert _is_in_order(frame, ["session", "position"]) == (by_sorting == list(range(len(frame))))


@given(st.lists(st.sampled_from(["x", "b", "m", None])), st.sampled_from([object, "category"]))
def test_numbering_runs_equals_numbering_values(ids, dtype):
    series = pd.Series(ids, dtype=dtype)
    numbers = np.asarray(PandasFrames().number(series))
    assert numbers.tolist() == series.factorize()[0].tolist() and numbers.dtype == np.int64


@pytest.mark.parametrize("dtype", [object, "category"])
def test_sessions_side_by_side_are_numbered_by_run(dtype):
    assert number_runs(pd.Series(["x", "x", "b"], dtype=dtype)).tolist() == [0, 0, 1]
    assert number_runs(pd.Series(["x", "b", "x"], dtype=dtype)) is None
    assert number_runs(pd.Series(["x", None], dtype=dtype)) is None


@given(st.lists(st.sampled_from([10, 11, 12, 13, 99]), min_size=1))
def test_joining_equals_that_of_nvtabular(items):
    frame = pd.DataFrame({"item_id": items, "position": range(len(items))})
    theirs = JoinExternal(ROWS, on="item_id", how="inner", columns_ext=["item_id", "row"])
    ours, selector = JoinRows(ROWS), ColumnSelector(["item_id", "position"])
    pd.testing.assert_frame_equal(
        ours.transform(selector, frame), theirs.transform(selector, frame), check_dtype=len(frame) > 0
    )
    assert ours.count_unknown(frame) == items.count(99)


@given(st.lists(st.lists(st.integers(0, 9), min_size=1), min_size=1), st.integers(1, 4))
def test_slicing_equals_that_of_nvtabular(lists, events):
    offsets = np.cumsum([0, *map(len, lists)])
    frame = pd.DataFrame({"row_list": list_column(offsets, np.concatenate(lists))})
    theirs = ListSlice(-events).transform(ColumnSelector(["row_list"]), pd.DataFrame({"row_list": lists}))
    ours = LastEvents(events).transform(ColumnSelector(["row_list"]), frame)
    assert [list(rows) for rows in ours["row_list"]] == list(theirs["row_list"])
    # A slice of a frame shares its arrays with the whole one.
    tail = LastEvents(events).transform(ColumnSelector(["row_list"]), frame.iloc[1:])
    assert [list(rows) for rows in tail["row_list"]] == list(theirs["row_list"])[1:]


def test_ids_may_be_strings(tmp_path, write, configure):
    catalogue = tmp_path / "catalogue"
    catalogue.mkdir()
    pd.DataFrame({"item_id": ["p", "q", "r"]}).to_parquet(catalogue / "items.parquet")
    sessions = {"v": ["q", "p", "unknown"], "u": ["r", "r"]}
    data = write(tmp_path, sessions=dict.fromkeys(("train", "valid", "test"), sessions), sessions_per_part=2)
    facts = build_sessions(configure(tmp_path), data, catalogue, tmp_path / "out", ALONE, None)
    assert as_lists(tmp_path / "out" / "train") == [[2, 1], [3, 3]]
    numbers = {"sessions": 2, "events": 4, "unknown_items_dropped": 1}
    assert facts["train"] == {**numbers, "max_session_length": 2, "cut_events": 0}
    ids = pq.read_table(tmp_path / "out" / "train" / "part-00000.parquet")["session_id"]
    assert ids.to_pylist() == ["v", "u"] and ids.type == "string"


def test_the_schema_tells_lists_from_ids():
    workflow = sessions_workflow(ROWS, 2, 3)
    workflow.fit_schema(Dataset(pd.DataFrame({"session_id": ["a"], "item_id": [10], "position": [0]})).schema)
    schema = workflow.output_schema
    assert schema["row_list"].is_list and schema["row_list"].properties["value_count"]["max"] == 3
    assert not schema["session_id"].is_list
    assert {tag.value for tag in schema["row_list"].tags} >= {"session", "list"}
