"""Items that the model cannot tell apart have the same scores, to the bit."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
import torch

from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.config import EvaluationConfig
from m2trec_merlin.encoded import EncodedColumn
from m2trec_merlin.evaluation.ranking import evaluate
from m2trec_merlin.model.catalogue_tensors import CatalogueTensors
from m2trec_merlin.model.m2trec import M2TRec, build_model
from m2trec_merlin.model.scoring import ModelScorer, encode_catalogue
from m2trec_merlin.model.twins import Twins, codes_of
from m2trec_merlin.sessions import Sessions
from tests.worlds.encoded import tiny_catalogue, tiny_config

#: Items with a history; kinds of items, the first of which is a missing one; and all items.
SEEN, KINDS, ITEMS = 24, 6, 900


def shop() -> tuple[Catalogue, np.ndarray]:
    """Many items of few kinds, and the kind of each row; the first kind is that of row NO_ITEM."""
    kinds = tiny_catalogue()
    kind_of = np.random.default_rng(1).integers(0, KINDS, ITEMS + 1)
    kind_of[0] = 0
    counts = np.concatenate([[0], np.arange(SEEN, 0, -1), np.zeros(ITEMS - SEEN)]).astype(np.int64)
    columns = {name: column.take(kind_of) for name, column in kinds.attributes.items()}
    return Catalogue(np.arange(ITEMS + 1), counts, columns), kind_of


def model(catalogue: Catalogue, **sections: object) -> M2TRec:
    torch.manual_seed(0)
    built = build_model(tiny_config(**sections), catalogue)
    with torch.no_grad():
        for parameter in built.next_item_head.parameters():
            parameter.normal_()
    return built.eval()


def test_unseen_items_of_equal_attributes_have_the_same_scores_however_many_are_scored() -> None:
    catalogue, kind_of = shop()
    prefixes = Sessions.from_lists([[1, 2, 3, 30], [700, 5, 6], list(range(40, 47))]).prefixes()
    scorer = ModelScorer(model(catalogue))
    for block in prefixes.blocks(1), prefixes.blocks(3), prefixes.blocks(100):
        for part in block:
            for index, scores in enumerate(scorer.score(part)):
                unseen = np.setdiff1d(np.arange(SEEN + 1, ITEMS + 1), part.items(index))
                by_kind = [set(scores[unseen[kind_of[unseen] == kind]].tolist()) for kind in range(KINDS)]
                assert [len(found) for found in by_kind] == [1] * KINDS
                assert len(set.union(*by_kind)) == KINDS and np.isfinite(scores[1:]).all()
                # A history tells apart what attributes do not.
                assert len(set(scores[1 : SEEN + 1].tolist())) == SEEN


def test_a_hit_among_twins_is_none() -> None:
    catalogue, kind_of = shop()
    target = int(np.flatnonzero(kind_of == 3)[-1])
    prefixes = Sessions.from_lists([[1, target]]).prefixes()
    outcome = evaluate(ModelScorer(model(catalogue)), prefixes, catalogue, EvaluationConfig(ks=[20]))
    twins = int((kind_of[SEEN + 1 :] == 3).sum())
    assert outcome.items is not None and outcome.items.target[0] >= twins > 100


def test_what_has_no_history_at_all_has_twins_among_what_sold() -> None:
    catalogue, kind_of = shop()
    plain = {"residual": False, "popularity_bias": False}
    head = tiny_config().model.next_item.model_dump()
    encoded = encode_catalogue(model(catalogue, next_item={**head, **plain}))
    firsts = np.arange(ITEMS + 1)
    firsts[encoded.twins.rows.numpy()] = encoded.twins.firsts.numpy()
    expected = [0, *(int(np.flatnonzero(kind_of[1:] == kind)[0]) + 1 for kind in kind_of[1:])]
    assert firsts.tolist() == expected
    assert (encoded.vectors.numpy() == encoded.vectors.numpy()[firsts]).all()


def test_outputs_of_an_item_each_have_no_twins() -> None:
    catalogue, _ = shop()
    encoded = encode_catalogue(model(catalogue, next_item={"head": "softmax"}))
    assert not len(encoded.twins.rows)


@pytest.mark.parametrize("seed", range(5))
def test_codes_are_equal_where_attributes_are_and_there_alone(seed: int) -> None:
    random = np.random.default_rng(seed)
    catalogue = tiny_catalogue(60, 20, seed)
    drawn = {name: column.take(random.integers(0, 7, 400)) for name, column in catalogue.attributes.items()}
    shuffled, offsets = drawn["title"].values.copy(), drawn["title"].offsets
    assert offsets is not None
    for item in range(0, 400, 2):
        start, stop = offsets[item : item + 2]
        shuffled[start:stop] = shuffled[start:stop][::-1]
    columns = [replace(drawn["title"], values=shuffled), *(c for n, c in drawn.items() if n != "title")]
    tensors, told_apart = CatalogueTensors(columns), random.integers(0, 2, 400)
    codes = codes_of(tensors.fields, tensors(torch.arange(400)), torch.from_numpy(told_apart))
    groups: dict[tuple[object, ...], set[int]] = defaultdict(set)
    for item, code in enumerate(codes.tolist()):
        values = tuple(column.of(item).tobytes() for column in columns)
        groups[told_apart[item], values].add(code)
    assert all(len(found) == 1 for found in groups.values())
    assert len(set.union(*groups.values())) == len(groups) > 300


def test_zero_and_minus_zero_are_equal() -> None:
    (column,) = [c for c in tiny_catalogue().attributes.values() if c.field.name == "price"]
    tensors = CatalogueTensors([EncodedColumn(column.field, np.array([0.0, -0.0, 1.0], np.float32))])
    codes = codes_of(tensors.fields, tensors(torch.arange(3)), torch.zeros(3, dtype=torch.long))
    twins = Twins.of(codes)
    assert (twins.rows.tolist(), twins.firsts.tolist()) == ([1], [0])
    assert twins.level(torch.tensor([[1.0, 2.0, 3.0]]), dim=1).tolist() == [[1, 1, 3]]
