import numpy as np
import pytest
import torch
from torch import nn

from m2trec_merlin.config import ModelConfig
from m2trec_merlin.encoded import MISSING, PADDING
from m2trec_merlin.model.attribute_encoders import (
    AttributeEncoder,
    CategoricalEncoder,
    ListEncoder,
    build_attribute_encoder,
    embedding_width,
)
from m2trec_merlin.model.catalogue_tensors import CatalogueTensors, lists_of, take_ragged
from m2trec_merlin.model.lists import Lists, hashed_pairs
from tests.worlds.encoded import ATTRIBUTES, tiny_catalogue, tiny_config


@pytest.mark.parametrize("name", [a["name"] for a in ATTRIBUTES])
class TestContract:
    """What every attribute encoder must satisfy."""

    def encoder(self, name: str) -> tuple[AttributeEncoder, CatalogueTensors]:
        torch.manual_seed(0)
        column, config = tiny_catalogue().attributes[name], tiny_config()
        encoder = build_attribute_encoder(column.field, config.attribute(name), config.model)
        return encoder.eval(), CatalogueTensors([column])

    def test_returns_one_vector_of_its_width_per_item(self, name: str) -> None:
        encoder, catalogue = self.encoder(name)
        vectors = encoder(catalogue(torch.tensor([3, 1, 3, 0])))
        assert vectors.shape == (4, encoder.width)
        assert vectors.dtype == torch.float32
        assert torch.isfinite(vectors).all()

    def test_an_item_s_vector_does_not_depend_on_the_others(self, name: str) -> None:
        encoder, catalogue = self.encoder(name)
        together = encoder(catalogue(torch.arange(31)))
        alone = torch.cat([encoder(catalogue(torch.tensor([row]))) for row in range(31)])
        torch.testing.assert_close(together, alone)

    def test_gradients_reach_every_parameter(self, name: str) -> None:
        encoder, catalogue = self.encoder(name)
        parameters = list(encoder.parameters())
        if parameters:
            encoder(catalogue(torch.arange(1, 31))).square().sum().backward()
        assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in parameters)


def test_text_is_the_mean_of_its_token_vectors() -> None:
    encoder = ListEncoder("title", 6, 2, "mean", 0.0)
    with torch.no_grad():
        encoder.embedding.weight.copy_(torch.tensor([[0.0, 0], [9, 9], [8, 8], [1, 2], [3, 6], [5, 4]]))
    title = {"title__values": torch.tensor([3, 4, 5]), "title__offsets": torch.tensor([0, 2, 3])}
    assert encoder(title).tolist() == [[2.0, 4.0], [5.0, 4.0]]
    encoder.pooling = "max"
    assert encoder(title).tolist() == [[3.0, 6.0], [5.0, 4.0]]


def test_training_hides_values_behind_the_reserved_ids() -> None:
    """Whatever stands for missing and unknown values has to be trained, since serving meets both."""
    torch.manual_seed(0)
    encoder = CategoricalEncoder("category", nn.Embedding(5, 2, padding_idx=0), dropout=0.5).train()
    with torch.no_grad():
        encoder.embedding.weight.copy_(torch.arange(5.0).unsqueeze(1).expand(5, 2))
    used = set(encoder({"category": torch.full((500,), 4)})[:, 0].tolist())
    assert used == {1.0, 2.0, 4.0}
    assert set(encoder.eval()({"category": torch.full((500,), 4)})[:, 0].tolist()) == {4.0}


@pytest.mark.parametrize("padded", [False, True])
def test_a_hidden_list_is_encoded_as_that_of_an_item_without_any(padded: bool) -> None:
    """One MISSING and the list's end, not a MISSING for each word: pairs would tell them apart."""
    encoder = ListEncoder("title", 6, 2, "mean", dropout=0.0, pair_buckets=50)
    assert encoder.pairs is not None
    with torch.no_grad():
        encoder.pairs.weight[1:].normal_()
    missing = encoder({"title__values": torch.tensor([MISSING]), "title__offsets": torch.tensor([0, 1])})
    title = {"title__values": torch.tensor([3, 4, 5, 3]), "title__offsets": torch.tensor([0, 3, 4])}
    if padded:
        title = {"title__values": torch.tensor([[3, 4, 5], [3, PADDING, PADDING]])}
    known = encoder(title)
    encoder.train().dropout = 1.0
    seen = torch.cat([encoder(title) for _ in range(100)])
    is_missing = (seen - missing).abs().amax(1) < 1e-6
    assert 0.3 < is_missing.float().mean() < 0.7
    torch.testing.assert_close(encoder.eval()(title), known)


@pytest.mark.parametrize(
    ("vocabulary_size", "width"), [(4, 16), (8 * 64, 16), (64 * 20, 24), (64 * 24, 24), (10**6, 128)]
)
def test_width_is_proportional_to_the_vocabulary_in_steps_of_8(vocabulary_size: int, width: int) -> None:
    assert embedding_width(vocabulary_size, ModelConfig()) == width


def test_take_ragged_gathers_lists_in_the_order_asked_for() -> None:
    values, offsets = torch.tensor([1, 2, 3, 4, 5, 6]), torch.tensor([0, 1, 3, 6])
    taken, taken_offsets = take_ragged(values, offsets, torch.tensor([2, 0, 2]))
    assert taken.tolist() == [4, 5, 6, 1, 4, 5, 6]
    assert taken_offsets.tolist() == [0, 3, 4, 7]


def test_look_up_returns_what_the_catalogue_holds() -> None:
    catalogue = tiny_catalogue()
    found = CatalogueTensors(list(catalogue.attributes.values()))(torch.tensor([5, 2]))
    title = catalogue.attributes["title"]
    assert title.offsets is not None
    expected = [title.values[title.offsets[r] : title.offsets[r + 1]] for r in (5, 2)]
    assert found["title__values"].tolist() == np.concatenate(expected).tolist()
    assert found["category"].tolist() == catalogue.attributes["category"].values[[5, 2]].tolist()
    assert found["image"].shape == (2, 3)


def test_pairs_of_neighbouring_subwords_are_hashed_within_their_title() -> None:
    """Titles [3, 4] and [3]: a pair ends with its title, whatever stands behind it."""
    values, offsets = torch.tensor([3, 4, 3]), torch.tensor([0, 2, 3])
    buckets = hashed_pairs(Lists(values, offsets), 1000).values
    assert buckets.tolist() == [1 + (a * 92_821 + b * 31_337) % 999 for a, b in ((3, 4), (4, 0), (3, 0))]
    assert buckets.min() >= 1


def test_pairs_add_the_mean_of_their_vectors() -> None:
    encoder = ListEncoder("title", 6, 2, "mean", 0.0, pair_buckets=50)
    plain = ListEncoder("title", 6, 2, "mean", 0.0)
    plain.embedding = encoder.embedding
    title = {"title__values": torch.tensor([3, 4, 5]), "title__offsets": torch.tensor([0, 2, 3])}
    assert encoder.pairs is not None
    # Pairs that were never trained say nothing.
    torch.testing.assert_close(encoder(title), plain(title))
    with torch.no_grad():
        encoder.pairs.weight[1:].normal_()
    vectors = encoder.pairs(hashed_pairs(lists_of(title, "title"), 50).values)
    expected = plain(title) + torch.stack([vectors[:2].mean(0), vectors[2]])
    torch.testing.assert_close(encoder(title), expected)
