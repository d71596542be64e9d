from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from m2trec_merlin.errors import DataError
from m2trec_merlin.readers.grouping import GroupedSessions, cut_sessions
from m2trec_merlin.readers.positions import parse_positions


def _blocks(session_ids: list[int], size: int) -> Iterator[pd.DataFrame]:
    frame = pd.DataFrame({"session_id": session_ids, "value": range(len(session_ids))})
    for start in range(0, len(frame), size):
        yield frame.iloc[start : start + size]


@given(
    session_ids=st.lists(st.integers(0, 6), min_size=1, max_size=60),
    block=st.integers(1, 20),
)
@settings(max_examples=15)
def test_files_and_memory_give_the_same_sessions(session_ids: list[int], block: int) -> None:
    in_memory = pd.concat(GroupedSessions(lambda: _blocks(session_ids, block), 1000))
    through_files = GroupedSessions(lambda: _blocks(session_ids, block), 1)
    pd.testing.assert_frame_equal(pd.concat(through_files), in_memory)
    expected = [
        row for s in dict.fromkeys(session_ids) for row, other in enumerate(session_ids) if other == s
    ]
    assert in_memory["value"].tolist() == expected == in_memory.index.tolist()


def test_the_source_is_read_once_and_chunks_hold_whole_sessions() -> None:
    reads = []

    def read() -> Iterator[pd.DataFrame]:
        reads.append(1)
        yield from _blocks([3, 1, 3, 2, 1] * 30, 10)

    sessions = GroupedSessions(read, 2)
    first, second = list(sessions), list(sessions)
    assert len(reads) == 1
    assert [c["session_id"].unique().tolist() for c in first] == [[3, 1], [2]]
    pd.testing.assert_frame_equal(pd.concat(first), pd.concat(second))


def test_what_cannot_be_read_is_told_every_time() -> None:
    def read() -> Iterator[pd.DataFrame]:
        yield from _blocks([3, 1, 3, 2, 1] * 30, 10)
        raise DataError("events", ["a bad row"])

    sessions = GroupedSessions(read, 2)
    for _ in range(2):
        with pytest.raises(DataError, match="a bad row"):
            list(sessions)


def test_rows_without_a_session_are_kept_for_the_validation() -> None:
    frame = pd.DataFrame({"session_id": ["a", None, "a", None] * 20})
    for chunk_sessions in (1, 100):
        rows = pd.concat(GroupedSessions(lambda: [frame.iloc[:40], frame.iloc[40:]], chunk_sessions))
        assert len(rows) == 80 and rows["session_id"].isna().sum() == 40


def test_no_rows_give_no_chunks() -> None:
    assert list(GroupedSessions(lambda: [], 10)) == []
    assert list(cut_sessions(pd.DataFrame({"session_id": []}), 3)) == []


def test_cut_sessions_counts_sessions_not_rows() -> None:
    frame = pd.DataFrame({"session_id": np.repeat([5, 4, 9], [3, 1, 2])})
    assert [len(c) for c in cut_sessions(frame, 2)] == [4, 2]


@pytest.mark.parametrize("limit", [1, 1000])
def test_columns_that_arrow_has_a_type_for_stay_as_they_are_beside_those_it_has_none_for(limit: int) -> None:
    frame = pd.DataFrame(
        {
            "session_id": [1, 2, 1],
            "number": [1, Decimal("2.5"), "x"],
            "tags": [["a", "b"], None, ["c"]],
            "day": [date(2024, 3, 1)] * 3,
        }
    )
    read = pd.concat(GroupedSessions(lambda: iter([frame]), limit))
    assert [each if each is None else list(each) for each in read["tags"]] == [["a", "b"], ["c"], None]
    assert read["day"].tolist() == [date(2024, 3, 1)] * 3
    assert read["number"].astype(str).tolist() == ["1", "x", "2.5"]


@pytest.mark.parametrize("limit", [1000, 1])
def test_whole_numbers_beside_blocks_of_fractions_keep_their_digits(limit: int) -> None:
    whole, parts = [2**54 + 1, 2**54 + 2] * 15, [0.5] * 30
    blocks = [pd.Series(whole, dtype="Int64"), pd.Series(parts, dtype=object)]
    rows = [
        pd.DataFrame({"session_id": 7, "position": block.array}, range(n * 30, n * 30 + 30))
        for n, block in enumerate(blocks)
    ]
    found = pd.concat(GroupedSessions(lambda: iter(rows), limit))["position"]
    assert parse_positions(found).tolist() == whole + parts
