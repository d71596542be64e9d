from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from m2trec_merlin.encoded import EncodedItems
from m2trec_merlin.errors import ArtifactError
from m2trec_merlin.histories import events_after
from m2trec_merlin.sessions import Sessions, identify, identify_beginnings
from tests.worlds.encoded import event_values, with_events, write_sessions

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


def plain(columns: EncodedItems) -> list[list[list[object]]]:
    """Of each event the values of all attributes."""
    return [
        [column.of(e).tolist() for column in columns.values()]
        for e in range(len(next(iter(columns.values()))))
    ]


@given(lists, st.integers(1, 4))
def test_attributes_of_events_go_where_their_events_go(expected, most):
    sessions = with_events(Sessions.from_lists(expected))
    of_events = plain(sessions.attributes)
    order = np.arange(len(sessions))[::-1]
    events = np.arange(len(sessions.rows))
    taken = sessions.take(order)
    wanted = [e for i in order for e in events[sessions.offsets[i] : sessions.offsets[i + 1]]]
    assert plain(taken.attributes) == [of_events[e] for e in wanted]
    last = sessions.prefixes().last(most)
    for index in range(len(last)):
        prefix = sessions.prefixes()
        end = sessions.offsets[prefix.session[index]] + prefix.length[index]
        start = last.sessions.offsets[last.session[index]]
        own = plain(last.sessions.attributes)[start : start + last.length[index]]
        assert own == [of_events[e] for e in range(end - last.length[index], end)]


def test_attributes_of_events_are_read_as_they_were_written(tmp_path):
    sessions = with_events(Sessions.from_lists([[1, 2, 3], [4, 5], [6, 7, 8, 9], [2, 2]]))
    sessions = replace(sessions, is_target=np.arange(len(sessions.rows)) % 3 == 0)
    read = Sessions.load(write_sessions(tmp_path, sessions, files=3))
    assert plain(read.attributes) == plain(sessions.attributes)
    assert [c.field for c in read.attributes.values()] == [c.field for c in sessions.attributes.values()]
    assert read.is_target.tolist() == sessions.is_target.tolist()
    assert list(event_values(3, 1)) == list(read.attributes)


@given(lists, st.data())
def test_only_events_that_may_be_targets_are_any(expected, data):
    sessions = Sessions.from_lists(expected)
    may_be = np.array(
        data.draw(st.lists(st.booleans(), min_size=len(sessions.rows), max_size=len(sessions.rows)))
    )
    sessions = replace(sessions, is_target=may_be.astype(bool))
    marked, wanted = iter(may_be.tolist()), []
    for session in expected:
        pairs = [(row, next(marked)) for row in session]
        wanted += [
            ([row for row, _ in pairs[:n]], pairs[n][0], [row for row, may in pairs[n:] if may])
            for n in range(1, len(pairs))
            if pairs[n][1]
        ]
    prefixes = sessions.prefixes()
    after = events_after(prefixes)
    found = [
        (list(prefixes.items(i)), int(prefixes.targets[i]), list(prefixes.remaining(i)))
        for i in range(len(prefixes))
    ]
    assert found == wanted and sessions.n_prefixes == len(wanted)
    assert [list(after.row[after.prefix == i]) for i in range(len(prefixes))] == [
        later for *_, later in wanted
    ]


@pytest.mark.parametrize("longest", [None, 1, 2, 3])
def test_the_beginnings_of_sessions_are_identified_as_sessions_are(longest: int | None) -> None:
    ids, sessions = np.array(["a", "b"], object), [[7, 8, 7, 9], [7, 8]]
    read = Sessions.from_lists(sessions)
    found = identify_beginnings(ids, read.rows.astype(np.uint64), read.offsets, longest)
    beginnings = [
        (name, s[: end + 1]) for name, s in zip(ids, sessions, strict=True) for end in range(len(s))
    ]
    cut = Sessions.from_lists([items[-(longest or 9) :] for _, items in beginnings])
    names = np.array([name for name, _ in beginnings], object)
    expected = identify(names, cut.rows.astype(np.uint64), cut.offsets)
    assert found.tolist() == expected.tolist() and len(set(found.tolist())) > 2
