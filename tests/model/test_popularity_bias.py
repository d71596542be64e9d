"""The bias of popular candidates."""

from __future__ import annotations

import pytest
import torch

from m2trec_merlin.model.item_vectors import ItemVectors
from m2trec_merlin.model.popularity_bias import PopularityBias
from tests.worlds.encoded import tiny_catalogue

NEW, HIDDEN = torch.full((400,), 25), torch.ones(400, dtype=torch.long)
NOBODY = torch.zeros(400, dtype=torch.bool)


@pytest.fixture
def tested() -> PopularityBias:
    """Items are described by four numbers; row 1 occurs 24 times."""
    torch.manual_seed(0)
    bias = PopularityBias(tiny_catalogue(), item_width=4)
    with torch.no_grad():
        bias.weight.fill_(2.0)
        bias.no_history.fill_(-1.0)
        bias.surplus.weight.normal_()
    return bias


def test_known_popularity_counts_where_it_shows_and_the_expected_one_elsewhere(
    tested: PopularityBias,
) -> None:
    items = ItemVectors.of([torch.tensor([[1.0, 2.0, 3.0, 4.0]] * 3)], torch.full((3,), 6.0))
    rows, known = torch.tensor([1, 1, 25]), torch.tensor([True, False, False])
    biases = tested(items, rows, known, hiding=False)
    expected = [2 * torch.tensor(24.0).log1p().item(), 2 * 6 - 1, 2 * 6 - 1]
    assert biases.tolist() == pytest.approx(expected)


def test_the_surplus_of_training_items_is_theirs_alone(tested: PopularityBias) -> None:
    items = ItemVectors.of([torch.randn(400, 4)], torch.zeros(400))
    hidden = tested(items, HIDDEN, NOBODY, hiding=True)
    assert hidden.std() > 0.1
    assert hidden.mean().item() == pytest.approx(-1.0, abs=1e-4), "it is centred"
    assert tested(items, NEW, NOBODY, hiding=False).eq(-1).all()


def test_calibration_moves_faster_than_the_surplus(tested: PopularityBias) -> None:
    calibrated = {id(p) for p in tested.calibration_parameters()}
    others = [name for name, p in tested.named_parameters() if id(p) not in calibrated]
    assert others == ["surplus.weight"]
