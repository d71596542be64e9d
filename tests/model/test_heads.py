import math
from typing import get_args

import pytest
import torch

from m2trec_merlin.config import NextItemConfig
from m2trec_merlin.encoded import NO_ITEM
from m2trec_merlin.model.encoded_prefixes import History
from m2trec_merlin.model.heads import HEADS, RESIDUAL_TRUST, MetadataHead, NextItemHead
from m2trec_merlin.model.item_vectors import ItemVectors
from tests.worlds.encoded import tiny_catalogue

#: A training item, the last one of them, two that were never seen, and one outside of the catalogue.
ROWS = torch.tensor([1, 24, 25, 30, NO_ITEM])


def head(kind: str, **settings: object) -> NextItemHead:
    torch.manual_seed(0)
    config = NextItemConfig.model_validate(settings)
    return HEADS[kind](tiny_catalogue(), item_width=5, width=4, max_length=6, config=config).eval()


def items(count: int) -> ItemVectors:
    return ItemVectors.of([torch.randn(count, 5)], torch.randn(count))


def queries(tested: NextItemHead, sessions: torch.Tensor) -> torch.Tensor:
    """Queries of prefixes that hold one item each."""
    n = len(sessions)
    history = History(torch.arange(n), torch.ones(n, dtype=torch.long), torch.zeros(n, dtype=torch.long))
    return tested.queries(sessions, tested.session_item_vectors(torch.randn(n, 5)), torch.arange(n), history)


def change_weights(tested: NextItemHead) -> None:
    """As training may: row NO_ITEM of a table stays zero."""
    torch.manual_seed(2)
    with torch.no_grad():
        for parameter in tested.parameters():
            if parameter.dim() == 2:
                parameter[1:].normal_()
            else:
                parameter.fill_(0.7)


def distinct(lines: torch.Tensor) -> int:
    return len(lines.detach().round(decimals=4).unique(dim=0))


def test_every_head_has_its_name_in_the_configuration() -> None:
    assert set(HEADS) == set(get_args(NextItemConfig.model_fields["head"].annotation))


#: Another value for each setting that some head has no use for.
OTHERWISE = {
    "similarity": "dot",
    "residual": False,
    "residual_dropout": 0.5,
    "popularity_bias": False,
    "temperature": 0.5,
}


@pytest.mark.parametrize("kind", HEADS)
class TestContract:
    """What every head must satisfy."""

    def test_shapes_and_unseen_items(self, kind: str) -> None:
        tested = head(kind)
        vectors, biases = tested.candidates(items(5), ROWS)
        assert vectors.shape == (5, 4)
        assert biases.shape == (5,)
        assert queries(tested, torch.randn(3, 4)).shape == (3, 4)
        assert torch.isfinite(biases[:2]).all()
        assert torch.isfinite(biases[2:]).all() == tested.all_items, "only metadata can score unseen items"

    @pytest.mark.parametrize("session_items", [True, False])
    def test_padded_sessions_ask_as_their_prefixes_do(self, kind: str, session_items: bool) -> None:
        tested, lengths = head(kind, session_items=session_items), torch.tensor([2, 3])
        sessions, described = torch.randn(2, 4), torch.randn(2, 3, 5)
        counted = torch.tensor([[True, True, False], [False, True, True]])
        prefix, step = counted.nonzero(as_tuple=True)
        history = History(prefix, torch.ones_like(prefix), lengths[prefix] - 1 - step)
        items, each = tested.session_item_vectors(described[prefix, step]), torch.arange(len(prefix))
        asked = tested.queries(sessions, items, each, history)
        torch.testing.assert_close(tested.queries_padded(sessions, described, counted, lengths), asked)

    def test_an_item_outside_of_the_catalogue_scores_as_one_never_seen(self, kind: str) -> None:
        tested, same = head(kind), items(1).take(torch.tensor([0, 0]))
        change_weights(tested)
        vectors, biases = tested.candidates(same, torch.tensor([25, NO_ITEM]))
        assert torch.isneginf(biases).tolist() == [not tested.all_items] * 2
        if tested.all_items:
            torch.testing.assert_close(vectors[0], vectors[1])
            assert biases[0] == biases[1]

    def test_histories_are_hidden_in_training_only(self, kind: str) -> None:
        tested, many = head(kind, residual_dropout=0.5), items(1).take(torch.zeros(400, dtype=torch.long))
        change_weights(tested)
        rows = torch.ones(400, dtype=torch.long)
        vectors, biases = tested.candidates(many, rows)
        assert distinct(biases) == distinct(vectors) == 1
        torch.testing.assert_close(vectors, tested.candidate_vectors(many, rows))
        torch.testing.assert_close(biases, tested.candidate_biases(many, rows))
        vectors, biases = tested.train().candidates(many, rows)
        # Only a head that can do without a history has one to hide.
        assert distinct(biases) == distinct(vectors) == (2 if tested.all_items else 1)

    @pytest.mark.parametrize("setting", OTHERWISE)
    def test_settings_have_the_effect_that_the_configuration_promises(self, kind: str, setting: str) -> None:
        changed = {setting: OTHERWISE[setting]}
        many, rows, seen = items(40), torch.arange(1, 41) % 30, []
        for settings in ({}, changed):
            tested = head(kind, **settings).train()
            before = [weights.clone() for weights in tested.state_dict().values()]
            change_weights(tested)
            seen.append([*before, tested.scale(torch.ones(1, 4)), *tested.candidates(many, rows)])
        equal = len(seen[0]) == len(seen[1]) and all(map(torch.equal, *seen))
        ignored = NextItemConfig.model_validate({"head": kind, **changed}).without_effect()
        assert equal == (setting in ignored)


def test_metadata_scores_are_cosines_at_the_temperature() -> None:
    tested = head("metadata", temperature=0.1, popularity_bias=False)
    assert isinstance(tested, MetadataHead)
    asked = queries(tested, torch.randn(3, 4))
    vectors, _ = tested.candidates(items(2), torch.tensor([1, 2]))
    torch.testing.assert_close(asked.norm(dim=1), torch.full((3,), 10.0))
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(2))


def test_dot_products_keep_the_length_of_vectors() -> None:
    tested = head("metadata", similarity="dot", session_items=False)
    sessions = torch.randn(3, 4)
    torch.testing.assert_close(queries(tested, sessions), sessions)
    once, twice = (
        tested.candidate_vectors(ItemVectors.of([k * torch.ones(1, 5)]), torch.tensor([25])) for k in (1, 2)
    )
    assert not torch.allclose(once.norm(), twice.norm())


def test_items_without_history_are_what_their_metadata_say() -> None:
    tested = head("metadata")
    assert isinstance(tested, MetadataHead)
    assert tested.residual is not None
    assert tested.popularity is not None
    with torch.no_grad():
        tested.residual.weight[1:].normal_()
        tested.popularity.weight.fill_(2.0)
        tested.popularity.log_prior_weight.fill_(0.0)
    one_expected = ItemVectors.of([torch.randn(1, 5).expand(3, 5)], torch.zeros(3))
    vectors, biases = tested.candidates(one_expected, torch.tensor([25, 30, 1]))
    torch.testing.assert_close(vectors[0], vectors[1])
    assert not torch.allclose(vectors[0], vectors[2]), "a training item has a residual"
    assert biases.tolist() == pytest.approx([0, 0, 2 * math.log(25)])


def test_a_residual_counts_by_how_often_its_item_occurred() -> None:
    """Rows 24, 23 and 1 occurred 1, 2 and 24 times; the dot product shows the residual as it is added."""
    tested = head("metadata", similarity="dot")
    assert isinstance(tested, MetadataHead)
    assert tested.residual is not None
    with torch.no_grad():
        tested.residual.weight[1:] = 1.0
    nothing, rows = ItemVectors.of([torch.zeros(4, 5)], torch.zeros(4)), torch.tensor([25, 24, 23, 1])
    added = tested.candidate_vectors(nothing, rows) - tested.candidate_vectors(nothing, rows * 0)
    shares = [0, *(n / (n + RESIDUAL_TRUST) for n in (1, 2, 24))]
    torch.testing.assert_close(added, torch.tensor(shares).unsqueeze(1).expand(4, 4))


def test_training_hides_histories_so_that_items_without_one_are_calibrated() -> None:
    tested = head("metadata", residual_dropout=0.5).train()
    assert isinstance(tested, MetadataHead)
    assert tested.popularity is not None
    with torch.no_grad():
        tested.popularity.log_prior_weight.fill_(-1.0)
        tested.popularity.weight.fill_(1.0)
    described = torch.tensor([[1.0, -1.0, 0.5, 0.2, 0.0]])
    nothing_expected = ItemVectors.of([described.expand(400, 5)], torch.zeros(400))
    _, biases = tested.candidates(nothing_expected, torch.ones(400, dtype=torch.long))
    assert 120 < (biases == -1.0).sum() < 280
    few = nothing_expected.take(torch.arange(4))
    _, biases = tested.eval().candidates(few, torch.ones(4, dtype=torch.long))
    assert (biases != -1.0).all()
