from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import m2trec_merlin as m2trec
from m2trec_merlin.config.serving import FixedMixture, NoMixture
from m2trec_merlin.evaluation.run import our_scorers
from m2trec_merlin.runs import Run
from m2trec_merlin.serving.export.run import export
from m2trec_merlin.sessions import Sessions
from tests.worlds.shop import N_ITEMS, TRAIN, build_shop


@pytest.mark.parametrize("mixture", [NoMixture(), FixedMixture(by_id=1.0, content=0.5)])
def test_what_is_served_is_measured_with_the_boost_of_new_items(
    tmp_path: Path, mixture: FixedMixture | NoMixture
) -> None:
    config, catalogue, _ = build_shop(tmp_path)
    serving = config.serving.model_copy(update={"mixture": mixture, "new_item_boost": 2.5})
    config = config.model_copy(update={"serving": serving})
    answer = m2trec.load(export(config)).recommend(["sku-3", "sku-1"], top_k=N_ITEMS)
    scorers = our_scorers(Run(config), catalogue, Sessions.from_lists(TRAIN))
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
        Sessions.from_lists(TRAIN),
    )[-1].score(prefixes.take(np.array([1])))[0]
    np.testing.assert_allclose(measured[unsold], plain[unsold] + 2.5, atol=1e-4)
