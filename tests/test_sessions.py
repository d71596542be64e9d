from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from m2trec_merlin.errors import ArtifactError
from m2trec_merlin.sessions import Sessions

lists = st.lists(st.lists(st.integers(1, 50), max_size=6), max_size=8)


def as_lists(sessions: Sessions) -> list[list[int]]:
    return [list(sessions[i]) for i in range(len(sessions))]


@given(lists)
def test_sessions_hold_what_they_were_made_of(expected):
    sessions = Sessions.from_lists(expected)
    assert as_lists(sessions) == expected
    assert list(sessions.lengths) == [len(s) for s in expected]
    assert sessions.rows.dtype == sessions.offsets.dtype == np.int64


@given(lists, st.data())
def test_taking_sessions_keeps_the_order_asked_for(expected, data):
    count = len(expected)
    picks = data.draw(st.lists(st.integers(0, count - 1), max_size=10) if count else st.just([]))
    taken = Sessions.from_lists(expected).take(np.array(picks, dtype=np.int64))
    assert as_lists(taken) == [expected[i] for i in picks]


@given(lists)
def test_every_prefix_has_its_target_and_its_remainder(expected):
    """Eq. 1: all proper prefixes of all sessions, the next item as the target of each."""
    sessions = Sessions.from_lists(expected)
    prefixes = sessions.prefixes()
    wanted = [(s[:n], s[n], s[n:]) for s in expected for n in range(1, len(s))]
    found = [
        (list(prefixes.items(i)), int(prefixes.targets[i]), list(prefixes.remaining(i)))
        for i in range(len(prefixes))
    ]
    assert found == wanted
    assert sessions.n_prefixes == len(wanted)


@given(lists, st.integers(1, 5))
def test_blocks_cover_all_prefixes_in_order(expected, size):
    prefixes = Sessions.from_lists(expected).prefixes()
    blocks = list(prefixes.blocks(size))
    assert all(1 <= len(block) <= size for block in blocks)
    targets = [target for block in blocks for target in block.targets]
    assert targets == list(prefixes.targets)


def test_the_last_events_of_prefixes_keep_their_targets():
    prefixes = Sessions.from_lists([[1, 2, 3, 4], [5, 6]]).prefixes()
    assert prefixes.last(3) is prefixes
    last = prefixes.last(2)
    assert [last.items(i).tolist() for i in range(4)] == [[1], [1, 2], [2, 3], [5]]
    assert last.targets.tolist() == prefixes.targets.tolist()


def test_prefixes_can_be_picked():
    picked = Sessions.from_lists([[1, 2, 3], [4, 5]]).prefixes().take(np.array([2, 0]))
    assert list(picked.targets) == [5, 2]
    assert [list(picked.items(i)) for i in range(2)] == [[4], [1]]


@given(st.lists(lists, min_size=1, max_size=3))
def test_a_folder_is_read_in_the_order_of_its_files(tmp_path_factory, parts):
    folder = tmp_path_factory.mktemp("sessions")
    for number, part in enumerate(parts):
        frame = pd.DataFrame({"session_id": range(len(part)), "row": pd.Series(part, dtype=object)})
        path = folder / f"part-{number:05d}.parquet"
        frame.to_parquet(path, schema=_schema())
    assert as_lists(Sessions.load(folder)) == [session for part in parts for session in part]


def _schema():
    import pyarrow as pa

    return pa.schema([("session_id", pa.int64()), ("row", pa.list_(pa.int64()))])


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(ArtifactError, match="holds no sessions: run `m2trec preprocess` first"):
        Sessions.load(tmp_path)
