import torch
from hypothesis import given
from hypothesis import strategies as st

from m2trec_merlin.encoded import NO_ITEM
from m2trec_merlin.model.session_batch import SessionBatch
from m2trec_merlin.sessions import Sessions

#: Unknown items among them.
SESSIONS = st.lists(st.lists(st.integers(0, 4), min_size=1, max_size=6), min_size=1, max_size=4)


def batch_of(sessions: list[list[int]]) -> SessionBatch:
    return SessionBatch.of(Sessions.from_lists(sessions))


def sessions_of(batch: SessionBatch) -> list[list[int]]:
    return [rows.tolist() for rows in batch.rows.split(batch.lengths.tolist())]


@given(SESSIONS)
def test_sessions_come_back_whatever_items_they_hold(sessions: list[list[int]]) -> None:
    batch = batch_of(sessions)
    assert sessions_of(batch) == sessions
    assert len(batch) == len(sessions)
    assert batch.longest == max(map(len, sessions))


@given(SESSIONS)
def test_every_prefix_with_a_known_next_item_becomes_a_session(sessions: list[list[int]]) -> None:
    sessions = [[1, 2], *sessions]
    batch = batch_of(sessions)
    prefixes = batch.prefixes()
    found = list(zip(sessions_of(prefixes), batch.targets.tolist(), strict=True))
    assert found == [(s[:n], s[n]) for s in sessions for n in range(1, len(s)) if s[n] != NO_ITEM]
    assert batch.ends.tolist() == [
        start + n - 1
        for s, start in zip(sessions, (batch.lengths.cumsum(0) - batch.lengths).tolist(), strict=True)
        for n in range(1, len(s))
        if s[n] != NO_ITEM
    ]
    assert all(len(session) <= prefixes.longest for session in sessions_of(prefixes))


@given(st.lists(st.lists(st.integers(1, 4), min_size=1, max_size=6), min_size=1, max_size=4))
def test_of_known_items_every_event_but_the_first_is_a_target(sessions: list[list[int]]) -> None:
    batch = batch_of([[1, 2], *sessions])
    assert batch.n_targets == len(batch.targets) == len(batch.prefixes())


def test_a_batch_is_integers_on_its_device() -> None:
    batch = batch_of([[1, 2, 3], [4]])
    assert (batch.rows.dtype, batch.lengths.dtype) == (torch.int64, torch.int64)
    assert (batch.rows.tolist(), batch.lengths.tolist(), batch.longest) == ([1, 2, 3, 4], [3, 1], 3)
