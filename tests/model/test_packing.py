import torch
from hypothesis import given
from hypothesis import strategies as st

from m2trec_merlin.model.packing import Packing


@given(st.lists(st.integers(1, 5), min_size=1, max_size=6))
def test_padding_what_was_packed_gives_it_back(lengths: list[int]) -> None:
    longest = max(lengths)
    packing = Packing.of(torch.tensor(lengths), longest)
    events = torch.arange(1, sum(lengths) + 1).float().unsqueeze(1)
    padded = packing.pad(events)
    assert padded.shape == (len(lengths), longest, 1)
    assert torch.equal(packing.pack(padded), events)
    assert padded.sum() == events.sum(), "padding must be zero"


def test_sessions_and_positions_of_events() -> None:
    packing = Packing.of(torch.tensor([2, 3]), 3)
    assert packing.session.tolist() == [0, 0, 1, 1, 1]
    assert packing.position.tolist() == [0, 1, 0, 1, 2]


@given(st.lists(st.integers(1, 20), min_size=1, max_size=12))
def test_groups_hold_every_event_once_and_ungrouping_gives_them_back(lengths: list[int]) -> None:
    packing = Packing.of(torch.tensor(lengths), max(lengths))
    events = torch.arange(sum(lengths))
    assert torch.equal(packing.ungroup([events[group.events] for group in packing.groups]), events)
    assert sorted(n for group in packing.groups for n in group.lengths.tolist()) == sorted(lengths)
    for group in packing.groups:
        shortest, longest = int(group.lengths.min()), int(group.lengths.max())
        assert group.events.shape == (len(group.lengths), longest)
        assert longest < 2 * shortest, "no more than half of a group is padding"


def test_a_group_repeats_the_last_event_where_a_session_has_ended() -> None:
    [group] = Packing.of(torch.tensor([3, 4]), 4).groups
    assert group.events.tolist() == [[0, 1, 2, 2], [3, 4, 5, 6]]
    assert group.real.tolist() == [0, 1, 2, 4, 5, 6, 7]
