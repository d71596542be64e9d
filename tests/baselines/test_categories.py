from dataclasses import replace
from pathlib import Path

import numpy as np

from m2trec_merlin.baselines import FrequentCategories, PredictedCategories
from m2trec_merlin.config import EvaluationConfig
from m2trec_merlin.encoded import EncodedColumn, Field, Layout
from m2trec_merlin.evaluation.ranking import evaluate
from m2trec_merlin.neighbours.session_knn import SessionKnn
from m2trec_merlin.scores import CategoryScorer, ItemScorer
from m2trec_merlin.sessions import Sessions
from tests.worlds.checkerboard import FunctionScorer, checkerboard, make_catalogue
from tests.worlds.encoded import ragged

# Rows 1 to 6; colours 3, 3, 4, 4, 5 and missing.
CATALOGUE = make_catalogue([1, 1, 2, 2, 9, 4], colours=[3, 3, 4, 4, 2, 1])


def frequent(session: list[int]) -> list[int]:
    """Category ids after the longest prefix, best first."""
    prefixes = Sessions.from_lists([session]).prefixes()
    scores = FrequentCategories(CATALOGUE, ["colour"]).category_scores(prefixes)["colour"]
    assert scores.shape == (len(prefixes), 5)
    return [int(i) for i in np.argsort(-scores[-1], kind="stable") if i >= 3]


def test_frequent_categories_come_first() -> None:
    assert frequent([1, 2, 3, 1]) == [3, 4]
    assert frequent([3, 4, 1, 1]) == [4, 3]


def test_of_equally_frequent_categories_the_recent_one_comes_first() -> None:
    assert frequent([1, 3, 1]) == [4, 3]
    assert frequent([3, 1, 1]) == [3, 4]


def test_categories_that_the_session_lacks_follow_by_popularity() -> None:
    assert frequent([5, 1]) == [4, 3]


def test_predicted_categories_follow_the_items() -> None:
    scorer = FunctionScorer(lambda prefix: [0, 1, 5, 4, 6, 2, 3])
    heuristic = PredictedCategories(CATALOGUE, ["colour"], scorer, items=3)
    scores = heuristic.category_scores(Sessions.from_lists([[1, 2]]).prefixes())["colour"]
    # Items 4, 2, 3 rank highest: colours 4, 3, 4.
    np.testing.assert_allclose(scores, [[-np.inf, -np.inf, -np.inf, 1 / 2, 1]])
    assert heuristic.name == "top-N predicted (function)"


def test_categories_of_items_that_are_no_candidates_are_not_predicted() -> None:
    best_first = FunctionScorer(lambda prefix: [0, 6, 5, 4, 3, 2, 1])
    heuristic = PredictedCategories(CATALOGUE, ["colour"], best_first, 1, exclude_session_items=True)
    scores = heuristic.category_scores(Sessions.from_lists([[1, 2, 6]]).prefixes())["colour"]
    # Item 2 after item 1, both of colour 3, and then item 3.
    np.testing.assert_array_equal(scores[:, 3:], [[1, -np.inf], [-np.inf, 1]])


def test_items_of_several_categories_count_for_each() -> None:
    tags, offsets = ragged([[1], [3], [4, 3], [4]])
    column = EncodedColumn(Field("tags", Layout.ID_LISTS, 5), tags, offsets)
    catalogue = replace(make_catalogue([8, 4, 1]), attributes={"tags": column})
    prefixes = Sessions.from_lists([[2, 1, 1]]).prefixes()
    scores = FrequentCategories(catalogue, ["tags"]).category_scores(prefixes)["tags"][:, 3:]
    # After item 2, and after items 2 and 1; of 17 values that were sold 12 are the first, 5 the other.
    expected = [[1 + 1 / 2 + 12 / 17e4, 1 + 1 / 2 + 5 / 17e4], [2 + 1 / 2 + 12 / 17e4, 1 + 1 / 4 + 5 / 17e4]]
    np.testing.assert_allclose(scores, expected, rtol=1e-6)
    best_first = FunctionScorer(lambda prefix: [0, 1, 2, 3])
    scores = PredictedCategories(catalogue, ["tags"], best_first, 2).category_scores(prefixes)["tags"][:, 3:]
    np.testing.assert_allclose(scores, [[1 / 2, 1]] * 2)


def test_both_know_the_checkerboard(tmp_path: Path) -> None:
    world = checkerboard(tmp_path)
    knn = SessionKnn.fit(world.catalogue, world.train)
    for heuristic in (
        FrequentCategories(world.catalogue, ["colour"]),
        PredictedCategories(world.catalogue, ["colour"], knn, items=1),
    ):
        assert isinstance(heuristic, CategoryScorer)
        assert not isinstance(heuristic, ItemScorer)
        outcome = evaluate(heuristic, world.test.prefixes(), world.catalogue, EvaluationConfig())
        assert (outcome.categories["colour"] == 1).all()
