from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from torch import Tensor

import m2trec_merlin as m2trec
from m2trec_merlin.config.serving import FixedMixture, NoMixture
from m2trec_merlin.evaluation.known import known_before
from m2trec_merlin.evaluation.run import our_scorers
from m2trec_merlin.evaluation.served import as_served
from m2trec_merlin.model.scoring import ModelScorer
from m2trec_merlin.runs import Run
from m2trec_merlin.scores import CategoryScorer
from m2trec_merlin.serving.export.run import export
from m2trec_merlin.sessions import Prefixes, Sessions
from tests.worlds.shop import N_ITEMS, build_shop


@pytest.mark.parametrize("mixture", [NoMixture(), FixedMixture(by_id=1.0, content=0.5)])
def test_what_is_served_is_measured_with_the_boost_of_new_items(
    tmp_path: Path, mixture: FixedMixture | NoMixture
) -> None:
    config, catalogue, _ = build_shop(tmp_path)
    serving = config.serving.model_copy(update={"mixture": mixture, "new_item_boost": 2.5})
    config = config.model_copy(update={"serving": serving})
    answer = m2trec.load(export(config)).recommend(["sku-3", "sku-1"], top_k=N_ITEMS)
    known = known_before(Run(config), catalogue)
    scorers = our_scorers(Run(config), catalogue, known)
    assert [scorer.name for scorer in scorers[:-1]] == ["M2TRec"]
    rows = catalogue.rows_of(["sku-3", "sku-1", "sku-0"]).tolist()
    prefixes = Sessions.from_lists([rows]).prefixes()
    measured = scorers[-1].score(prefixes.take(np.array([1])))[0]
    found = catalogue.rows_of(answer.item_ids)
    np.testing.assert_allclose(answer.scores, measured[found], atol=1e-4)
    unsold = np.flatnonzero(catalogue.train_counts == 0)[1:]
    plain = our_scorers(
        Run(config.model_copy(update={"serving": serving.model_copy(update={"new_item_boost": 0.0})})),
        catalogue,
        known,
    )[-1].score(prefixes.take(np.array([1])))[0]
    np.testing.assert_allclose(measured[unsold], plain[unsold] + 2.5, atol=1e-4)


def test_items_and_categories_of_a_block_are_asked_of_the_same_prefixes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By their identity a model knows again what it has encoded."""
    _, catalogue, model = build_shop(tmp_path)
    encoded: list[Prefixes] = []
    encode = ModelScorer._encode_prefixes

    def counting(scorer: ModelScorer, prefixes: Prefixes) -> Tensor:
        encoded.append(prefixes)
        return encode(scorer, prefixes)

    monkeypatch.setattr(ModelScorer, "_encode_prefixes", counting)
    served = as_served(ModelScorer(model), catalogue)
    assert isinstance(served, CategoryScorer)
    for sessions in ([[3, 0, 4, 2], [0, 1, 5]], [[2, 0, 1]]):
        prefixes = Sessions.from_lists(sessions).prefixes()
        assert len(served.score(prefixes)) == len(prefixes)
        assert len(served.category_scores(prefixes)["department"]) == len(prefixes)
    assert len(encoded) == 2
