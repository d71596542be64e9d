import numpy as np
import pytest
import torch

from m2trec_merlin.model.m2trec import M2TRec, build_model
from m2trec_merlin.model.scoring import ModelScorer
from m2trec_merlin.model.session_batch import SessionBatch
from m2trec_merlin.sessions import Sessions
from tests.worlds.encoded import permuted, tiny_catalogue, tiny_config

SESSIONS = Sessions.from_lists([[1, 2, 3], [5, 4, 5, 24, 30], [7, 8], list(range(1, 13))])
#: Events of items that the catalogue does not hold stand anywhere.
WITH_UNKNOWN = Sessions.from_lists([[0, 1, 0, 2], [3, 0, 0, 3, 4], [0, 0, 5]])


def model(mode: str = "causal", pooling: str = "mean") -> M2TRec:
    torch.manual_seed(0)
    built = build_model(tiny_config(session={"mode": mode, "pooling": pooling}), tiny_catalogue())
    with torch.no_grad():
        built.next_item_head.repeat_biases.normal_()
    return built


@pytest.mark.parametrize("mode", ["causal", "bidirectional"])
@pytest.mark.parametrize("pooling", ["mean", "last", "mean_last"])
@pytest.mark.parametrize("sessions", [SESSIONS, WITH_UNKNOWN])
def test_scores_equal_those_of_the_task(mode: str, pooling: str, sessions: Sessions) -> None:
    built = model(mode, pooling).eval()
    prefixes = sessions.prefixes()
    scores = ModelScorer(built).score(prefixes)
    assert scores.shape == (len(prefixes), 31)
    for index in range(len(prefixes)):
        rows = prefixes.items(index)[-built.max_length :].tolist()
        with torch.inference_mode():
            alone = built(SessionBatch.of(Sessions.from_lists([rows])))
        np.testing.assert_allclose(scores[index], alone["next_item"][0].numpy(), rtol=1e-4, atol=1e-4)


def test_blocks_do_not_change_scores() -> None:
    scorer, prefixes = ModelScorer(model()), SESSIONS.prefixes()
    in_blocks = np.concatenate([scorer.score(block).copy() for block in prefixes.blocks(3)])
    np.testing.assert_allclose(scorer.score(prefixes), in_blocks, rtol=1e-4, atol=1e-4)


def test_padding_is_never_recommended_and_unseen_items_can_be() -> None:
    scorer = ModelScorer(model())
    scores = scorer.score(SESSIONS.prefixes())
    assert np.isneginf(scores[:, 0]).all()
    assert np.isfinite(scores[:, 1:]).all()
    assert scorer.candidates == "all catalogue items"


def test_category_scores_for_each_task() -> None:
    scores = ModelScorer(model()).category_scores(SESSIONS.prefixes())
    assert {name: values.shape for name, values in scores.items()} == {"category": (18, 8)}


def test_the_order_of_unseen_rows_does_not_matter() -> None:
    """Row numbers are pointers: the same items in other rows get the same scores."""
    catalogue = tiny_catalogue()
    order = np.concatenate([np.arange(25), np.array([30, 28, 26, 29, 27, 25])])
    moved = build_model(tiny_config(session={"pooling": "mean"}), permuted(catalogue, order))
    moved.load_state_dict(model(pooling="mean").state_dict())
    rows_moved = np.argsort(order)
    before = ModelScorer(model()).score(SESSIONS.prefixes())
    after = ModelScorer(moved).score(Sessions(rows_moved[SESSIONS.rows], SESSIONS.offsets).prefixes())
    np.testing.assert_allclose(before, after[:, rows_moved], rtol=1e-4, atol=1e-4)
