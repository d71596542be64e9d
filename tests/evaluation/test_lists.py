import numpy as np
import pytest

from m2trec_merlin.config import EvaluationConfig
from m2trec_merlin.evaluation.lists import RankedLists
from m2trec_merlin.evaluation.metrics import reciprocal_rank
from m2trec_merlin.evaluation.ranking import evaluate
from m2trec_merlin.sessions import Sessions
from tests.worlds.checkerboard import make_catalogue

SESSIONS = Sessions.from_lists([[1, 2, 3], [3, 4]])
LISTS = np.array([[4, 2, 0], [3, 1, 2], [1, 2, 3]])


def test_places_in_the_lists_become_ranks() -> None:
    scorer = RankedLists("other", SESSIONS.prefixes(), LISTS, n_rows=5)
    config = EvaluationConfig(ks=[3], block_prefixes=2)
    outcome = evaluate(scorer, SESSIONS.prefixes(), make_catalogue([1] * 4), config)
    np.testing.assert_allclose(reciprocal_rank(outcome, 3), [1 / 2, 1, 0])
    assert outcome.candidates == "training items, top 3 lists"


def test_prefixes_are_found_in_any_order() -> None:
    prefixes = SESSIONS.prefixes()
    order = np.array([2, 0, 1])
    scorer = RankedLists("other", prefixes.take(order), LISTS[order], n_rows=5)
    expected = RankedLists("other", prefixes, LISTS, n_rows=5).score(prefixes)
    np.testing.assert_array_equal(scorer.score(prefixes), expected)
    assert np.isneginf(expected[:, 0]).all()


def test_missing_lists_are_reported() -> None:
    prefixes = SESSIONS.prefixes()
    with pytest.raises(ValueError, match="2 lists for 3 prefixes"):
        RankedLists("other", prefixes, LISTS[:2], n_rows=5)
    partial = RankedLists("other", prefixes.take(np.array([0, 1])), LISTS[:2], n_rows=5)
    with pytest.raises(ValueError, match="prefixes without a list"):
        partial.score(prefixes)
