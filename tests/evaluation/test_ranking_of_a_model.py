"""Scores of a model are ranked as tensors, with the result that they have as arrays."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from m2trec_merlin.config import EvaluationConfig
from m2trec_merlin.errors import M2TRecError
from m2trec_merlin.evaluation.outcomes import UNMEASURED, UNRANKED
from m2trec_merlin.evaluation.ranking import evaluate
from m2trec_merlin.evaluation.served import as_served
from m2trec_merlin.model.m2trec import build_model
from m2trec_merlin.model.scoring import ModelScorer
from m2trec_merlin.sessions import Prefixes, Sessions
from tests.worlds.encoded import tiny_catalogue, tiny_config, tiny_sessions


class OnTheHost:
    """A scorer of arrays alone."""

    def __init__(self, scorer: ModelScorer) -> None:
        self.name, self.candidates, self._scorer = scorer.name, scorer.candidates, scorer

    def score(self, prefixes: Prefixes) -> np.ndarray:
        return self._scorer.score(prefixes)


@pytest.mark.parametrize("exclude", [False, True])
@pytest.mark.parametrize("some", [False, True])
@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def test_tensors_and_arrays_are_ranked_alike(device: str, exclude: bool, some: bool) -> None:
    catalogue = tiny_catalogue()
    torch.manual_seed(0)
    scorer = ModelScorer(build_model(tiny_config(), catalogue).to(device))
    settings = EvaluationConfig(ks=[1, 5, 100], baselines=[], exclude_session_items=exclude, block_prefixes=7)
    allowed = np.arange(catalogue.n_rows) % 2 == 0 if some else None
    prefixes = tiny_sessions().prefixes()
    tensors, arrays = (
        evaluate(one, prefixes, catalogue, settings, candidates=allowed).items
        for one in (scorer, OnTheHost(scorer))
    )
    assert tensors is not None and arrays is not None
    for name in ("target", "found", "remaining"):
        np.testing.assert_array_equal(getattr(tensors, name), getattr(arrays, name))
    assert len(np.unique(tensors.target)) > 5


def test_blocks_without_a_known_item_are_ranked_by_popularity() -> None:
    catalogue = tiny_catalogue()
    scorer = as_served(ModelScorer(build_model(tiny_config(), catalogue)), catalogue)
    sessions = Sessions.from_lists([[1, 2, 3], [0, 2], [0, 3]])
    settings = EvaluationConfig(ks=[1], baselines=[], block_prefixes=2)
    outcome = evaluate(scorer, sessions.prefixes(), catalogue, settings)
    assert outcome.items is not None
    frequent = np.argsort(-catalogue.train_counts[1:], kind="stable") + 1
    for place, row in ((2, 2), (3, 3)):
        assert outcome.items.target[place] >= 1 + int(np.flatnonzero(frequent == row)[0])
    for ranks in outcome.categories.values():
        assert len(ranks) == 4 and set(ranks[2:]) <= {UNMEASURED, UNRANKED}


def test_a_model_whose_weights_are_no_numbers_is_told() -> None:
    catalogue = tiny_catalogue()
    model = build_model(tiny_config(), catalogue)
    with torch.no_grad():
        for weight in model.parameters():
            weight.fill_(float("nan"))
    settings = EvaluationConfig(ks=[1], baselines=[])
    with pytest.raises(M2TRecError, match=r"scores are no numbers, .* a lower training\.learning_rate"):
        evaluate(ModelScorer(model), tiny_sessions().prefixes(), catalogue, settings)
