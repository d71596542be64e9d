import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from m2trec_merlin.histories import distinct_events_before, events_after, events_before, most_recent
from m2trec_merlin.sessions import Sessions

SESSIONS = st.lists(st.lists(st.integers(0, 6), max_size=7), max_size=6)


def test_events_around_the_prefixes_of_one_session() -> None:
    prefixes = Sessions.from_lists([[9], [5, 7, 5]]).prefixes()
    before, after = events_before(prefixes), events_after(prefixes)
    assert before.prefix.tolist() == [0, 1, 1]
    assert before.row.tolist() == [5, 5, 7]
    assert before.distance.tolist() == [0, 1, 0]
    assert after.prefix.tolist() == [0, 0, 1]
    assert after.row.tolist() == [7, 5, 5]
    assert after.distance.tolist() == [0, 1, 0]


def test_distinct_events_keep_the_last_occurrence_and_drop_unknown_items() -> None:
    prefixes = Sessions.from_lists([[4, 2, 0, 4, 1]]).prefixes()
    events = distinct_events_before(prefixes.take(np.array([3])))
    assert events.row.tolist() == [2, 4]
    assert events.distance.tolist() == [2, 0]


@given(SESSIONS, st.randoms())
def test_events_agree_with_the_prefixes_one_by_one(lists: list[list[int]], random: object) -> None:
    prefixes = Sessions.from_lists(lists).prefixes()
    prefixes = prefixes.take(np.array(random.sample(range(len(prefixes)), len(prefixes)), dtype=np.int64))  # type: ignore[attr-defined]
    before, after, distinct = (f(prefixes) for f in (events_before, events_after, distinct_events_before))
    for index in range(len(prefixes)):
        items = prefixes.items(index).tolist()
        assert before.row[before.prefix == index].tolist() == items
        assert before.distance[before.prefix == index].tolist() == list(range(len(items)))[::-1]
        assert after.row[after.prefix == index].tolist() == prefixes.remaining(index).tolist()
        last = {row: items[::-1].index(row) for row in items if row > 0}
        mine = distinct.prefix == index
        assert dict(zip(distinct.row[mine], distinct.distance[mine], strict=True)) == last


def test_most_recent_events_are_the_last_ones_of_their_items() -> None:
    assert most_recent(np.array([5, 2, 4, -1, 2])).tolist() == [True, False, True, True, True]
    assert most_recent(np.array([], np.int64)).tolist() == []
