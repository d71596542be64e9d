"""The popularity that metadata let expect."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.encoded import EncodedColumn, Field, Layout
from m2trec_merlin.model.catalogue_tensors import CatalogueTensors, id_column
from m2trec_merlin.model.expected_popularity import FARTHEST, PENALTY, ExpectedPopularity
from m2trec_merlin.model.heads import MetadataHead
from m2trec_merlin.model.m2trec import build_model, fit_before_training
from m2trec_merlin.model.scoring import ModelScorer
from m2trec_merlin.sessions import Sessions
from tests.worlds.encoded import permuted, ragged, tiny_catalogue, tiny_config, tiny_sessions


def built(catalogue: Catalogue) -> ExpectedPopularity:
    return ExpectedPopularity(list(catalogue.attributes.values()), {"title": 64})


def expected(encoder: ExpectedPopularity | None, catalogue: Catalogue) -> torch.Tensor:
    assert encoder is not None
    held = CatalogueTensors(list(catalogue.attributes.values()))
    return encoder(held(torch.arange(catalogue.n_rows))).squeeze(1)


def words_and_counts(titles: list[list[int]], counts: list[int], price: list[float]) -> Catalogue:
    """Items with titles of words 3 to 9 and a price."""
    values, offsets = ragged([[1], *titles])
    return Catalogue(
        np.arange(len(titles) + 1),
        np.array([0, *counts]),
        {
            "title": EncodedColumn(Field("title", Layout.ID_LISTS, 10), values, offsets),
            "price": EncodedColumn(Field("price", Layout.NUMBERS, 1), np.array([0, *price], np.float32)),
        },
    )


def test_is_zero_until_it_is_fitted() -> None:
    catalogue = tiny_catalogue()
    assert expected(built(catalogue), catalogue).eq(0).all()


def test_the_graph_sums_what_the_regression_sums() -> None:
    catalogue = tiny_catalogue()
    encoder = built(catalogue)
    weights = [buffer.normal_() for name, buffer in encoder.named_buffers() if name != "constant"]
    encoder.constant.fill_(0.5)
    rows = torch.arange(1, catalogue.n_rows)
    design = encoder.design(CatalogueTensors(list(catalogue.attributes.values()))(rows))
    sums = design @ torch.cat(weights).squeeze(1).numpy() + 0.5
    np.testing.assert_allclose(sums, expected(encoder, catalogue)[1:], rtol=1e-5, atol=1e-5)


def test_it_expects_as_many_occurrences_as_there_were() -> None:
    catalogue = tiny_catalogue()
    encoder = built(catalogue)
    encoder.fit(catalogue)
    seen = slice(1, catalogue.n_seen + 1)
    together = expected(encoder, catalogue)[seen].exp().sum().item()
    assert together == pytest.approx(catalogue.train_counts[seen].sum(), rel=1e-3)


def test_words_of_popular_items_make_new_items_expected_to_be_popular() -> None:
    """Word 3 stands in items bought 100 times, word 4 in items bought once; the last two are new."""
    titles = [[3, 5], [3, 6], [3, 7], [4, 5], [4, 6], [4, 7], [3, 8], [4, 8]]
    catalogue = words_and_counts(titles, [100, 100, 100, 1, 1, 1, 0, 0], [0.0] * 8)
    encoder = ExpectedPopularity(list(catalogue.attributes.values()), {})
    encoder.fit(catalogue)
    new = expected(encoder, catalogue)[-2:]
    assert new[0] > new[1] + 1


def test_numbers_count_too() -> None:
    titles = [[3]] * 8
    price = [1.0, 1.0, 1.0, -1.0, -1.0, -1.0, 1.0, -1.0]
    catalogue = words_and_counts(titles, [1, 1, 1, 100, 100, 100, 0, 0], price)
    encoder = ExpectedPopularity(list(catalogue.attributes.values()), {})
    encoder.fit(catalogue)
    new = expected(encoder, catalogue)[-2:]
    assert new[1] > new[0] + 1, "cheap items are bought more here"
    catalogue.attributes["price"].values[-2:] = [-FARTHEST, -1000 * FARTHEST]
    far = expected(encoder, catalogue)[-2:]
    assert far[0] == far[1] > new[1], "and no mistyped price makes the most popular of all"


def test_only_training_items_take_part_in_the_fit() -> None:
    catalogue = tiny_catalogue(n_items=30, n_seen=24)
    fewer = tiny_catalogue(n_items=30, n_seen=24)
    fewer.attributes["category"].values[25:] = 3
    one, other = built(catalogue), built(fewer)
    one.fit(catalogue)
    other.fit(fewer)
    for a, b in zip(one.buffers(), other.buffers(), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize(("vectors", "penalty", "tolerance"), [(False, 0.03, 1e-3), (True, PENALTY, 1e-2)])
def test_order_of_the_training_items_does_not_matter(vectors: bool, penalty: float, tolerance: float) -> None:
    """The solver comes less close to the one optimum where there is more to fit, at a lower penalty."""
    catalogue = tiny_catalogue(n_items=24, n_seen=24)
    if not vectors:
        del catalogue.attributes["image"]
    order = np.concatenate([[0], np.random.default_rng(1).permutation(24) + 1])
    moved = permuted(catalogue, order)
    one, other = built(catalogue), built(moved)
    one.fit(catalogue, penalty=penalty)
    other.fit(moved, penalty=penalty)
    torch.testing.assert_close(
        expected(one, catalogue)[torch.from_numpy(order)][1:],
        expected(other, moved)[1:],
        rtol=tolerance,
        atol=tolerance,
    )


def test_vectors_count_by_their_direction() -> None:
    """Popular items point one way, the others another; one of the two new ones is longer than all."""
    catalogue = words_and_counts([[3]] * 8, [100, 100, 100, 1, 1, 1, 0, 0], [0.0] * 8)
    one_way, another = [1.0, 0.2], [0.2, 1.0]
    image = np.array([[0, 0], *[one_way] * 3, *[another] * 3, [0.5, 0.1], [2, 10]], np.float32)
    catalogue.attributes["image"] = EncodedColumn(Field("image", Layout.VECTORS, 2), image)
    encoder = ExpectedPopularity(list(catalogue.attributes.values()), {})
    encoder.fit(catalogue)
    values = expected(encoder, catalogue)
    assert values[7] > values[8] + 1
    torch.testing.assert_close(values[7:], values[[1, 4]])


def test_ids_alone_let_the_mean_be_expected() -> None:
    """The first 24 items occurred 24, 23 and so on to 1 times."""
    catalogue = tiny_catalogue()
    columns = [id_column(catalogue)]
    encoder = ExpectedPopularity(columns, {})
    encoder.fit(catalogue)
    found = encoder(CatalogueTensors(columns)(torch.tensor([1, 2, 3])))
    torch.testing.assert_close(found, torch.tensor(12.5).log().expand(3, 1))


def test_it_is_part_of_models_that_need_it_and_is_not_trained() -> None:
    catalogue = tiny_catalogue()
    ours = build_model(tiny_config(), catalogue)
    fit_before_training(ours, catalogue, tiny_sessions)
    encoder = ours.item_encoder.popularity
    assert encoder is not None
    assert encoder.get_buffer("category__weights").abs().max() > 0
    assert not list(encoder.parameters())
    ids = build_model(tiny_config().with_variant("trec_id"), catalogue)
    assert ids.item_encoder.popularity is None


def test_it_decides_how_popular_items_without_much_of_a_history_are_and_nothing_else() -> None:
    catalogue = tiny_catalogue()
    model = build_model(tiny_config(), catalogue).eval()
    assert isinstance(model.next_item_head, MetadataHead) and model.next_item_head.popularity is not None
    with torch.no_grad():
        model.next_item_head.popularity.weight.fill_(1.0)
        model.next_item_head.popularity.log_prior_weight.fill_(0.0)
    before = ModelScorer(model)
    fit_before_training(model, catalogue, tiny_sessions)
    after = ModelScorer(model)
    prefixes = Sessions.from_lists([[1, 28, 3]]).prefixes()
    torch.testing.assert_close(before.session_vectors(prefixes), after.session_vectors(prefixes))
    gained = after.score(prefixes)[:, 1:].copy() - before.score(prefixes)[:, 1:]
    occurrences = catalogue.train_counts[1:]
    rate = expected(model.item_encoder.popularity, catalogue)[1:].exp().numpy()
    gains = np.log((occurrences + rate) / (occurrences + 1))
    np.testing.assert_allclose(gained, np.tile(gains, (2, 1)), atol=1e-5)
    assert gains[24:].min() > 2 * gains[:6].max()
