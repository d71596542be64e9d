from m2trec_merlin.neighbours.repeats import sessions_repeat_items
from m2trec_merlin.sessions import Sessions


def test_repeats_are_looked_for_within_sessions_only() -> None:
    assert not sessions_repeat_items(Sessions.from_lists([[1, 2, 3], [1, 2, 3], [3]]))
    assert sessions_repeat_items(Sessions.from_lists([[1, 2, 1], [4, 5]]))
    assert not sessions_repeat_items(Sessions.from_lists([[1, 1], *[[1, 2, 3]] * 100]))
    assert not sessions_repeat_items(Sessions.from_lists([]))


def test_unknown_items_are_no_repeats_of_each_other() -> None:
    assert not sessions_repeat_items(Sessions.from_lists([[0, 0, 0], [1, 2, 3]]))
    assert Sessions.from_lists([[1, 0, 0, 1]]).n_repeats == 1
