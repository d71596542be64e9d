"""Item ids on the input, smoothed over the items that stand near them in training sessions."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from m2trec_merlin.config import ModelConfig
from m2trec_merlin.encoded import FIRST_VALUE, OUT_OF_VOCABULARY
from m2trec_merlin.model.catalogue_tensors import CatalogueTensors, id_column
from m2trec_merlin.model.item_ids import ItemIdEncoder
from m2trec_merlin.model.m2trec import build_model, fit_before_training
from m2trec_merlin.neighbours.item_lists import lists_of
from m2trec_merlin.sessions import Sessions
from tests.worlds.encoded import tiny_catalogue, tiny_config, tiny_sessions

#: Item 1 stands beside 2 and, two steps away, 3; item 4 beside 5; no other stands beside any.
SESSIONS = Sessions.from_lists([[1, 2, 3], [1, 2], [4, 5], [6]])


def encoder(near_items: int = 3, id_dropout: float = 0.0, sessions: Sessions = SESSIONS) -> ItemIdEncoder:
    torch.manual_seed(0)
    config = ModelConfig(width=8, near_items=near_items, id_dropout=id_dropout)
    made = ItemIdEncoder(id_column(tiny_catalogue()).field, config)
    if made.near is not None:
        made.near.fit(sessions)
    return made.eval()


def ids(*rows: int) -> dict[str, torch.Tensor]:
    """The encoded ids of catalogue rows."""
    return CatalogueTensors([id_column(tiny_catalogue())])(torch.tensor(rows))


def test_an_item_s_vector_is_its_own_plus_the_mean_of_near_ones_by_likeness() -> None:
    made = encoder()
    own = made.embedding.weight[FIRST_VALUE - 1 :]
    likeness = lists_of(SESSIONS, 25).toarray()[1]
    expected = own[1] + (likeness[2] * own[2] + likeness[3] * own[3]) / (likeness[2] + likeness[3])
    assert likeness[2] > likeness[3] > 0
    torch.testing.assert_close(made(ids(1))[0], expected)


def test_the_nearest_items_are_taken() -> None:
    own = encoder(near_items=1)
    table = own.embedding.weight[FIRST_VALUE - 1 :]
    torch.testing.assert_close(own(ids(1, 3))[0], table[1] + table[2])


def test_an_item_alone_in_its_sessions_and_one_outside_of_training_have_their_own_vectors() -> None:
    made = encoder()
    alone, outside = made(ids(6, 25))
    torch.testing.assert_close(alone, made.embedding.weight[FIRST_VALUE + 5])
    torch.testing.assert_close(outside, made.embedding.weight[OUT_OF_VOCABULARY])


def test_without_near_items_it_is_an_embedding() -> None:
    made = encoder(near_items=0)
    torch.testing.assert_close(made(ids(1, 2)), made.embedding.weight[FIRST_VALUE : FIRST_VALUE + 2])
    assert list(made.state_dict()) == ["embedding.weight"]


def test_training_hides_near_items_but_not_on_average() -> None:
    made = encoder(near_items=24, sessions=tiny_sessions(count=200))
    served = made(ids(*range(1, 25)))
    made.train()
    with torch.no_grad():
        drawn = torch.stack([made(ids(*range(1, 25))) for _ in range(2000)])
    assert drawn.std(0).min() > 0
    torch.testing.assert_close(drawn.mean(0), served.detach(), rtol=0, atol=0.05)


@pytest.mark.parametrize("is_sparse", [False, True])
def test_gradients_reach_near_items_by_their_shares(is_sparse: bool) -> None:
    made = encoder()
    made.embedding.sparse = is_sparse
    made(ids(1)).sum().backward()
    gradient = made.embedding.weight.grad
    assert gradient is not None
    dense = (gradient.to_dense() if is_sparse else gradient)[:, 0].numpy()
    assert made.near is not None
    shares = made.near.shares[FIRST_VALUE][:2].numpy()
    np.testing.assert_allclose(dense[FIRST_VALUE : FIRST_VALUE + 3], [1, *shares], rtol=1e-6)
    assert np.count_nonzero(dense) == 3


def test_what_is_near_is_kept_with_the_weights() -> None:
    made, again = encoder(), encoder(sessions=Sessions.from_lists([[9, 8]]))
    again.load_state_dict(made.state_dict())
    torch.testing.assert_close(again(ids(*range(25))), made(ids(*range(25))))


def test_hidden_ids_are_trained_as_those_of_items_outside_of_training() -> None:
    made = encoder(id_dropout=0.25).train()
    known = torch.randint(1, 7, (4000,), generator=torch.Generator().manual_seed(0))
    hidden = (made(ids(*known.tolist())) == made.embedding.weight[OUT_OF_VOCABULARY]).all(1)
    assert hidden.float().mean().item() == pytest.approx(0.25, abs=0.03)
    assert not (made.eval()(ids(*known.tolist())) == made.embedding.weight[OUT_OF_VOCABULARY]).all(1).any()


def test_near_items_are_found_before_training_except_for_the_paper_s_models() -> None:
    settings = {"model": {"inputs": ["item_id", "category"], "near_items": 3}}
    config, catalogue = tiny_config(**settings), tiny_catalogue()
    model = build_model(config, catalogue)
    fit_before_training(model, catalogue, lambda: SESSIONS)
    shares = model.state_dict()["heads.0.body.inputs.item_encoder.encoders.0.near.shares"]
    assert (shares[FIRST_VALUE - 1 :].sum(1) > 0).nonzero().ravel().tolist() == [1, 2, 3, 4, 5]
    paper = build_model(config.with_variant("mutrec_id"), catalogue)
    assert not any("near" in name for name in paper.state_dict())
