from __future__ import annotations

from math import log
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.config import EvaluationConfig
from m2trec_merlin.evaluation.metrics import hit
from m2trec_merlin.evaluation.ranking import evaluate
from m2trec_merlin.neighbours.session_knn import SessionKnn, SessionKnnParameters
from m2trec_merlin.sessions import Sessions
from tests.evaluation.contracts import ItemScorerContract
from tests.worlds.checkerboard import checkerboard, make_catalogue


class TestSessionKnn(ItemScorerContract):
    def build(self, catalogue: Catalogue, train: Sessions) -> SessionKnn:
        return SessionKnn.fit(catalogue, train)

    def test_finds_the_colour_of_the_session(self, tmp_path: Path) -> None:
        world = checkerboard(tmp_path)
        prefixes = world.test.prefixes()
        scorer = self.build(world.catalogue, world.train)
        outcome = evaluate(scorer, prefixes, world.catalogue, EvaluationConfig(ks=[5]))
        assert hit(outcome, 5).all(), "five items of the colour are left at most"
        for index, line in enumerate(scorer.score(prefixes)):
            same = np.arange(1, 13) % 2 == prefixes.items(index)[0] % 2
            candidates = np.isfinite(line[1:])
            assert line[1:][same & candidates].min() > line[1:][~same].max()


def catalogue_of(train: list[list[int]], n_items: int) -> Catalogue:
    rows = [row for session in train for row in session if row]
    return make_catalogue(np.bincount(rows, minlength=n_items + 1)[1:].tolist())


def slow_scores(
    train: list[list[int]], prefix: list[int], n_items: int, k: int, norm: float
) -> list[float] | None:
    """Compute the formulas of the module's docstring with dictionaries and loops.

    None if the choice of neighbours hangs on the last digits of equal similarities.
    """
    frequency = {i: sum(i in session for session in train) for i in range(1, n_items + 1)}
    rarity = {i: log(len(train) / f) if f else 0.0 for i, f in frequency.items()}
    steps = {item: prefix[::-1].index(item) for item in prefix if item}
    neighbours = []
    for session in train:
        shared = set(steps) & set(session)
        if shared:
            similarity = sum(max(1 - 0.1 * steps[i], 0.01) * rarity[i] for i in shared)
            held = {i for i in session if i}
            neighbours.append((similarity / len(held) ** norm, min(steps[i] for i in shared), held))
    neighbours.sort(key=lambda neighbour: neighbour[0], reverse=True)
    if len(neighbours) > k and neighbours[k - 1][0] - neighbours[k][0] < 1e-4:
        return None
    scores = [0.0] * (n_items + 1)
    for similarity, distance, held in neighbours[:k]:
        for item in held:
            scores[item] += similarity / (1 + distance) * (1 + rarity[item])
    highest = max(max(scores), 1e-30)
    return [s / highest if frequency.get(i) else -np.inf for i, s in enumerate(scores)]


SESSION = st.lists(st.integers(0, 6), min_size=1, max_size=5)


@given(
    st.lists(SESSION, min_size=1, max_size=8),
    st.lists(st.integers(0, 6), min_size=2, max_size=12),
    st.integers(1, 4),
    st.sampled_from([0.0, 0.25, 0.5]),
)
def test_scores_equal_the_formulas(train: list[list[int]], test: list[int], k: int, norm: float) -> None:
    parameters = SessionKnnParameters(neighbours=k, length_norm=norm, popularity_weight=0.0)
    scorer = SessionKnn(catalogue_of(train, 6).train_counts, Sessions.from_lists(train), parameters)
    scorer.repeats = True
    prefixes = Sessions.from_lists([test]).prefixes()
    for index, line in enumerate(scorer.score(prefixes)):
        expected = slow_scores(train, prefixes.items(index).tolist(), 6, k, norm)
        if expected is not None:
            np.testing.assert_allclose(line, expected, rtol=1e-3, atol=1e-5)


def test_the_index_keeps_the_last_sessions_of_an_item() -> None:
    train = [[1, 2], [1, 3], [1, 4], [5, 6]]
    parameters = SessionKnnParameters(sessions_per_item=2, popularity_weight=0.0)
    scorer = SessionKnn(catalogue_of(train, 6).train_counts, Sessions.from_lists(train), parameters)
    line = scorer.score(Sessions.from_lists([[1, 2]]).prefixes())[0]
    assert line[2] == 0, "the first session is too old to count"
    assert line[3] > 0
    assert line[4] > 0


def test_of_equally_similar_sessions_the_latest_are_neighbours() -> None:
    train = [[1, 2], [1, 3], [1, 4], [5, 6]]
    parameters = SessionKnnParameters(neighbours=1, popularity_weight=0.0)
    scorer = SessionKnn(catalogue_of(train, 6).train_counts, Sessions.from_lists(train), parameters)
    line = scorer.score(Sessions.from_lists([[1, 2]]).prefixes())[0]
    assert np.flatnonzero(line > 0).tolist() == [4]


def test_without_neighbours_popularity_decides() -> None:
    train = [[1, 2], [2, 3], [4, 2]]
    scorer = SessionKnn.fit(catalogue_of(train, 5), Sessions.from_lists(train))
    line = scorer.score(Sessions.from_lists([[5, 1]]).prefixes())[0]
    assert line[2] == line[1:5].max() > line[1] > 0
    assert line[5] == -np.inf, "an item without training sessions is no candidate"


@pytest.mark.parametrize("train", [[], [[0]], [[0, 0], []]])
def test_training_without_known_items_gives_no_candidates(train: list[list[int]]) -> None:
    scorer = SessionKnn.fit(make_catalogue([0, 0]), Sessions.from_lists(train))
    assert np.isneginf(scorer.score(Sessions.from_lists([[1, 2]]).prefixes())).all()
