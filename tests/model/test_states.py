import torch
from hypothesis import given
from hypothesis import strategies as st

from m2trec_merlin.model.body import expand_prefixes
from m2trec_merlin.model.layout import Packing
from m2trec_merlin.model.scoring import recent_items
from m2trec_merlin.model.states import prefix_history
from m2trec_merlin.sessions import Sessions

SESSIONS = st.lists(st.lists(st.integers(1, 4), min_size=1, max_size=6), min_size=1, max_size=4)


def pad(sessions: list[list[int]]) -> torch.Tensor:
    longest = max(map(len, sessions))
    return torch.tensor([s + [0] * (longest - len(s)) for s in sessions])


def brute_force(prefixes: list[list[int]]) -> set[tuple[int, int, int]]:
    return {
        (number, row, list(reversed(prefix)).index(row))
        for number, prefix in enumerate(prefixes)
        for row in set(prefix)
    }


@given(SESSIONS)
def test_history_holds_each_item_once_at_its_most_recent_occurrence(sessions: list[list[int]]) -> None:
    rows = pad(sessions)
    packing = Packing.of((rows != 0).sum(1), rows.shape[1])
    history = prefix_history(rows, packing, torch.arange(int((rows != 0).sum())))
    prefixes = [s[:n] for s in sessions for n in range(1, len(s) + 1)]
    found = list(zip(history.prefix.tolist(), history.rows.tolist(), history.distance.tolist(), strict=True))
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
    found = zip(history.prefix.tolist(), history.rows.tolist(), history.distance.tolist(), strict=True)
    assert set(found) == expected


@given(SESSIONS)
def test_expanding_gives_every_prefix_with_its_next_item(sessions: list[list[int]]) -> None:
    sessions = [[1, 2], *sessions]
    prefixes, targets = expand_prefixes(pad(sessions))
    found = [([r for r in p if r], t) for p, t in zip(prefixes.tolist(), targets.tolist(), strict=True)]
    assert found == [(s[:n], s[n]) for s in sessions for n in range(1, len(s))]
