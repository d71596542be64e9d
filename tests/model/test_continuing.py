"""What a model takes over of an earlier one over another catalogue."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.encoded import OUT_OF_VOCABULARY
from m2trec_merlin.model.continuing import take_over
from m2trec_merlin.model.m2trec import M2TRec, build_model, fit_before_training
from m2trec_merlin.model.scoring import ModelScorer
from m2trec_merlin.sessions import Sessions
from tests.worlds.encoded import permuted, tiny_catalogue, tiny_config, tiny_sessions

VARIANTS = {
    "metadata": {},
    # Among fewer near items than there are, ties would be cut by row.
    "ids": {"model": {"inputs": ["item_id", "category"], "near_items": 24}},
    "softmax": {"next_item": {"head": "softmax"}},
}
SESSIONS = [[1, 2, 3], [5, 9, 20, 4]]


def trained(catalogue: Catalogue, **settings: object) -> M2TRec:
    """A model whose weights are all drawn, so that none is where it would be by itself."""
    torch.manual_seed(0)
    model = build_model(tiny_config(**settings), catalogue)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.3)
    fit_before_training(model, catalogue, tiny_sessions)
    return model.eval()


def continued(earlier: M2TRec, catalogue: Catalogue, row_of: np.ndarray, **settings: object) -> M2TRec:
    torch.manual_seed(1)
    model = build_model(tiny_config(**settings), catalogue, widths=earlier.widths)
    take_over(model, earlier, row_of)
    known = tiny_sessions()
    fit_before_training(model, catalogue, lambda: dataclasses.replace(known, rows=row_of[known.rows]))
    return model.eval()


@pytest.mark.parametrize("settings", VARIANTS.values(), ids=VARIANTS)
def test_items_that_stand_in_other_rows_keep_their_scores(settings: dict[str, object]) -> None:
    catalogue = tiny_catalogue()
    order = np.concatenate([[0], np.random.default_rng(3).permutation(24) + 1, np.arange(25, 31)])
    row_of = np.argsort(order)
    earlier = trained(catalogue, **settings)
    model = continued(earlier, permuted(catalogue, order), row_of, **settings)
    before = ModelScorer(earlier).score(Sessions.from_lists(SESSIONS).prefixes())
    moved = [[int(row_of[row]) for row in session] for session in SESSIONS]
    # The regression of popularity stops at a tolerance, elsewhere for another order of the items.
    now = ModelScorer(model).score(Sessions.from_lists(moved).prefixes())
    np.testing.assert_allclose(now[:, row_of], before, rtol=0, atol=1e-3)


def test_a_new_value_starts_as_the_unknown_one_and_known_ones_stay() -> None:
    catalogue = tiny_catalogue()
    earlier = trained(catalogue)
    column = catalogue.attributes["category"]
    larger = dataclasses.replace(column, field=dataclasses.replace(column.field, size=10))
    grown = dataclasses.replace(catalogue, attributes={**catalogue.attributes, "category": larger})
    model = continued(earlier, grown, np.arange(31))
    before, now = (
        next(e for e in each.item_encoder.attributes if e.name == "category").state_dict()["embedding.weight"]
        for each in (earlier, model)
    )
    assert now.shape == (10, before.shape[1])
    assert torch.equal(now[:8], before)
    assert torch.equal(now[8:], before[[OUT_OF_VOCABULARY, OUT_OF_VOCABULARY]])
    outputs = model.next_attributes["category"]
    assert torch.equal(outputs.weight[:8], earlier.next_attributes["category"].weight)
    assert not torch.equal(outputs.weight[8], outputs.weight[9])


def test_items_new_to_training_start_without_a_history_of_their_own() -> None:
    earlier = trained(tiny_catalogue(n_seen=20))
    now = tiny_catalogue(n_seen=24)
    residual = continued(earlier, now, np.arange(31)).next_item_head.state_dict()["residual.weight"]
    assert torch.equal(residual[:21], earlier.next_item_head.state_dict()["residual.weight"])
    assert residual.shape[0] == 25 and not residual[21:].any()


def test_what_is_fitted_to_the_catalogue_is_that_of_today() -> None:
    earlier = trained(tiny_catalogue())
    today = dataclasses.replace(tiny_catalogue(), train_counts=tiny_catalogue().train_counts * 3)
    popularity = continued(earlier, today, np.arange(31)).item_encoder.popularity
    assert popularity is not None and earlier.item_encoder.popularity is not None
    moved = popularity.constant - earlier.item_encoder.popularity.constant
    assert moved.item() == pytest.approx(np.log(3), abs=0.02)
