import torch
from hypothesis import given
from hypothesis import strategies as st

from m2trec_merlin.encoded import NO_ITEM
from m2trec_merlin.model.encoded_prefixes import History, prefix_history
from m2trec_merlin.model.scoring import recent_items
from m2trec_merlin.model.session_batch import SessionBatch
from m2trec_merlin.sessions import Sessions

#: Unknown items among them.
SESSIONS = st.lists(st.lists(st.integers(0, 4), min_size=1, max_size=6), min_size=1, max_size=4)


def brute_force(prefixes: list[list[int]]) -> set[tuple[int, int, int]]:
    return {
        (number, row, list(reversed(prefix)).index(row))
        for number, prefix in enumerate(prefixes)
        for row in set(prefix) - {NO_ITEM}
    }


def pairs(history: History) -> list[tuple[int, int, int]]:
    return list(zip(history.prefix.tolist(), history.rows.tolist(), history.distance.tolist(), strict=True))


@given(SESSIONS)
def test_history_holds_each_item_once_at_its_most_recent_occurrence(sessions: list[list[int]]) -> None:
    batch = SessionBatch.of(Sessions.from_lists(sessions))
    history = prefix_history(batch, torch.arange(len(batch.rows)))
    prefixes = [s[:n] for s in sessions for n in range(1, len(s) + 1)]
    found = pairs(history)
    assert set(found) == brute_force(prefixes)
    assert len(found) == len(set(found))
    assert history.prefix.tolist() == sorted(history.prefix.tolist())


@given(SESSIONS, st.integers(1, 4))
def test_recent_items_of_prefixes_stop_at_the_longest_length(sessions: list[list[int]], longest: int) -> None:
    prefixes = Sessions.from_lists(sessions).prefixes()
    if not len(prefixes):
        return
    history = recent_items(prefixes, longest, torch.device("cpu"))
    expected = brute_force([prefixes.items(i).tolist()[-longest:] for i in range(len(prefixes))])
    assert set(pairs(history)) == expected
