import numpy as np

from m2trec_merlin.baselines import Popularity
from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.sessions import Sessions
from tests.evaluation.contracts import ItemScorerContract
from tests.worlds.checkerboard import make_catalogue


class TestPopularity(ItemScorerContract):
    def build(self, catalogue: Catalogue, train: Sessions) -> Popularity:
        return Popularity(catalogue, train)


PREFIXES = Sessions.from_lists([[2, 1, 3]]).prefixes()


def test_scores_are_training_occurrences() -> None:
    repeating = Sessions.from_lists([[1, 1]])
    scores = Popularity(make_catalogue([9, 5, 0]), repeating).score(PREFIXES)
    np.testing.assert_array_equal(scores, [[-np.inf, 9, 5, -np.inf]] * 2)


def test_own_items_are_left_out_where_sessions_do_not_repeat() -> None:
    scores = Popularity(make_catalogue([9, 5, 0]), Sessions.from_lists([[1, 2]])).score(PREFIXES)
    np.testing.assert_array_equal(scores, [[-np.inf, 9, -np.inf, -np.inf], [-np.inf] * 4])
