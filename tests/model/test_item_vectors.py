import pytest
import torch

from m2trec_merlin.model.item_vectors import ItemVectors


@pytest.mark.parametrize("expected", [torch.tensor([5.0, 6.0]), None])
def test_what_describes_items_and_what_to_expect_of_them_come_back_by_name(
    expected: torch.Tensor | None,
) -> None:
    described = torch.arange(6.0).view(2, 3)
    items = ItemVectors.of([described[:, :2], described[:, 2:]], expected)
    assert items.width == 3
    for tested, order in (
        (items, [0, 1]),
        (items.take(torch.tensor([1, 0, 1])), [1, 0, 1]),
        (ItemVectors.join([items, items.take(torch.tensor([1]))]), [0, 1, 1]),
    ):
        assert torch.equal(tested.described, described[order])
        found = tested.expected_popularity
        assert found is None if expected is None else torch.equal(found, expected[order])


def test_items_of_padded_sessions_keep_their_shape() -> None:
    items = ItemVectors.of([torch.randn(4, 3)], torch.randn(4)).take(torch.tensor([[1, 2], [3, 0]]))
    assert items.described.shape == (2, 2, 3)
    assert items.expected_popularity is not None and items.expected_popularity.shape == (2, 2)
