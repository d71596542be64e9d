import torch
from hypothesis import given
from hypothesis import strategies as st

from m2trec_merlin.model.layout import Packing


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
