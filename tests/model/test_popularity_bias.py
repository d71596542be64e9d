"""The bias of popular candidates."""

from __future__ import annotations

import math

import pytest
import torch

from m2trec_merlin.model.item_vectors import ItemVectors
from m2trec_merlin.model.popularity_bias import PopularityBias
from tests.worlds.encoded import tiny_catalogue

TRAINED, NOBODY = torch.ones(400, dtype=torch.long), torch.zeros(400, dtype=torch.bool)
NEVER = -torch.inf


@pytest.fixture
def tested() -> PopularityBias:
    """Items are described by four numbers; row r occurs 25 - r times; w is 2 and a is 0.5."""
    torch.manual_seed(0)
    bias = PopularityBias(tiny_catalogue(), item_width=4)
    with torch.no_grad():
        bias.weight.fill_(2.0)
        bias.log_prior_weight.fill_(math.log(0.5))
        bias.surplus.weight.normal_()
    return bias


def expecting(occurrences: float, count: int) -> ItemVectors:
    return ItemVectors.of([torch.randn(count, 4)], torch.full((count,), math.log(occurrences)))


def test_occurrences_and_expectation_add_up(tested: PopularityBias) -> None:
    biases = tested(expecting(6, 2), torch.tensor([math.log(24), NEVER]))
    assert biases.tolist() == pytest.approx([2 * math.log(24 + 3), 2 * math.log(3)])


@pytest.mark.parametrize("expected", [0.01, 1, 50])
def test_each_sale_is_worth_something_and_the_first_one_most(tested: PopularityBias, expected: float) -> None:
    """Rows 25 (new), 24 (sold once), 23 and so on, alike but for their histories."""
    rows = torch.arange(25, 0, -1)
    biases = tested(expecting(expected, 25), tested.log_counts[rows])
    steps = biases.diff()
    assert (steps > 0).all()
    assert (steps.diff() < 0).all()


def test_a_long_history_leaves_nothing_to_expect(tested: PopularityBias) -> None:
    items = ItemVectors.of([torch.randn(2, 4)], torch.tensor([-2.0, 3.0]))
    few, many = tested(items, torch.full((2,), math.log(1e6))).tolist()
    assert few == pytest.approx(many, abs=1e-4) == pytest.approx(2 * math.log(1e6), abs=1e-4)


def test_neither_a_wild_expectation_nor_a_wild_weight_breaks_it(tested: PopularityBias) -> None:
    log_counts = torch.tensor([math.log(24), NEVER, math.log(24), NEVER])
    items = ItemVectors.of([torch.randn(4, 4)], torch.tensor([-300.0, -300.0, 300.0, 300.0]))
    biases = tested(items, log_counts)
    biases.sum().backward()
    low, high = math.log(0.5) - 300, math.log(0.5) + 300
    assert biases.tolist() == pytest.approx([2 * math.log(24), 2 * low, 2 * high, 2 * high], rel=1e-4)
    assert tested.log_prior_weight.grad is not None and tested.log_prior_weight.grad.isfinite()


def test_the_surplus_of_training_items_is_theirs_alone(tested: PopularityBias) -> None:
    items = expecting(2, 400)
    surplus = tested.surplus_of_hidden(items, TRAINED, NOBODY)
    assert surplus.std() > 0.1
    assert surplus.mean().item() == pytest.approx(0, abs=1e-4), "it is centred"
    assert not tested.surplus_of_hidden(items, TRAINED, ~NOBODY).any(), "of those that show their history"
    assert tested(items, torch.full((400,), NEVER)).abs().max() < 1e-6, "nor is it asked of new items"


def test_calibration_moves_faster_than_the_surplus(tested: PopularityBias) -> None:
    calibrated = {id(p) for p in tested.calibration_parameters()}
    others = [name for name, p in tested.named_parameters() if id(p) not in calibrated]
    assert others == ["surplus.weight"]
