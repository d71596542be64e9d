import pytest
import torch

from m2trec_merlin.config import NextItemConfig
from m2trec_merlin.model.heads import MetadataHead, NextItemHead, SoftmaxHead
from m2trec_merlin.model.states import History
from tests.tiny import tiny_catalogue


def scorer(kind: str, **settings: object) -> NextItemHead:
    torch.manual_seed(0)
    config, catalogue = NextItemConfig.model_validate(settings), tiny_catalogue()
    if kind == "metadata":
        return MetadataHead(catalogue, item_width=5, width=4, max_length=6, config=config).eval()
    return SoftmaxHead(catalogue, item_width=5, width=4, max_length=6, config=config).eval()


def queries(tested: NextItemHead, sessions: torch.Tensor) -> torch.Tensor:
    """Queries of prefixes that hold one item each."""
    n = len(sessions)
    history = History(torch.arange(n), torch.ones(n, dtype=torch.long), torch.zeros(n, dtype=torch.long))
    return tested.queries(sessions, tested.session_item_vectors(torch.randn(n, 5)), history)


@pytest.mark.parametrize("kind", ["metadata", "softmax"])
def test_contract_shapes_and_unseen_items(kind: str) -> None:
    tested = scorer(kind)
    rows = torch.tensor([1, 24, 25, 30])
    vectors, biases = tested.candidates(torch.randn(4, 5), rows)
    assert vectors.shape == (4, 4)
    assert biases.shape == (4,)
    assert queries(tested, torch.randn(3, 4)).shape == (3, 4)
    assert torch.isfinite(biases[:2]).all()
    assert torch.isfinite(biases[2:]).all() == tested.all_items, "only metadata can score unseen items"


def test_metadata_scores_are_cosines_at_the_temperature() -> None:
    tested = scorer("metadata", temperature=0.1, popularity_bias=False)
    assert isinstance(tested, MetadataHead)
    asked = queries(tested, torch.randn(3, 4))
    vectors, _ = tested.candidates(torch.randn(2, 5), torch.tensor([1, 2]))
    torch.testing.assert_close(asked.norm(dim=1), torch.full((3,), 10.0))
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(2))


def test_dot_products_keep_the_length_of_vectors() -> None:
    tested = scorer("metadata", similarity="dot", session_items=False)
    sessions = torch.randn(3, 4)
    torch.testing.assert_close(queries(tested, sessions), sessions)
    once, twice = (tested.candidate_vectors(k * torch.ones(1, 5), torch.tensor([25])) for k in (1, 2))
    assert not torch.allclose(once.norm(), twice.norm())


def test_items_without_history_are_what_their_metadata_say() -> None:
    tested = scorer("metadata")
    assert isinstance(tested, MetadataHead)
    assert tested.residual is not None
    assert tested.popularity is not None
    with torch.no_grad():
        tested.residual.weight[1:].normal_()
        tested.popularity.weight.fill_(2.0)
        tested.popularity.no_history.fill_(-3.0)
    same = torch.randn(1, 5).expand(3, 5) * torch.tensor([1.0, 1.0, 1.0, 1.0, 0.0])
    vectors, biases = tested.candidates(same, torch.tensor([25, 30, 1]))
    torch.testing.assert_close(vectors[0], vectors[1])
    assert not torch.allclose(vectors[0], vectors[2]), "a training item has a residual"
    assert biases[:2].tolist() == [-3.0, -3.0]
    assert biases[2].item() == pytest.approx(2 * torch.tensor(24.0).log1p().item())


def test_training_hides_histories_so_that_items_without_one_are_calibrated() -> None:
    tested = scorer("metadata", residual_dropout=0.5).train()
    assert isinstance(tested, MetadataHead)
    assert tested.popularity is not None
    with torch.no_grad():
        tested.popularity.no_history.fill_(-1.0)
        tested.popularity.weight.fill_(1.0)
    nothing_expected = torch.tensor([[1.0, -1.0, 0.5, 0.2, 0.0]])
    _, biases = tested.candidates(nothing_expected.expand(400, 5), torch.ones(400, dtype=torch.long))
    assert 120 < (biases == -1.0).sum() < 280
    _, biases = tested.eval().candidates(nothing_expected.expand(4, 5), torch.ones(4, dtype=torch.long))
    assert (biases != -1.0).all()
