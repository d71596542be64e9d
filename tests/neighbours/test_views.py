"""What every view of a mixture promises."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from m2trec_merlin.config.serving import FixedMixture
from m2trec_merlin.encoded import NO_ITEM
from m2trec_merlin.errors import DataError
from m2trec_merlin.neighbours.views import MixedView, Relisting
from m2trec_merlin.neighbours.weights import ITEM_WEIGHTS, VIEWS, WEIGHTS, Weights
from m2trec_merlin.neighbours.word_likeness import fit_words
from tests.worlds.checkerboard import World, checkerboard, make_catalogue

NEW_TITLES = ["a black one", "nothing known"]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return checkerboard(tmp_path / "world")


def fit(name: str, world: World) -> MixedView:
    view = VIEWS[name].fit(world.catalogue, world.train)
    assert view is not None
    return view


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_says_the_same_beside_an_exported_model(name: str, world: World, tmp_path: Path) -> None:
    fitted = fit(name, world)
    VIEWS[name].write(tmp_path, world.catalogue, world.train)
    read = VIEWS[name].read(tmp_path, world.catalogue.train_counts, world.train)
    assert read is not None
    prefixes = world.test.prefixes()
    np.testing.assert_array_equal(read.score(prefixes), fitted.score(prefixes))


@pytest.mark.parametrize("name", VIEWS)
def test_items_that_come_change_nothing_for_the_others(name: str, world: World) -> None:
    view = fit(name, world)
    n_rows = world.catalogue.n_rows
    origins = np.concatenate([np.arange(n_rows), [NO_ITEM] * len(NEW_TITLES)])
    asked: list[int] = []

    def titles(rows: np.ndarray) -> list[str]:
        asked.extend(rows)
        return [NEW_TITLES[row - n_rows] for row in rows]

    def titled(titles: Sequence[str]) -> np.ndarray:
        return n_rows + np.flatnonzero(np.isin(NEW_TITLES, titles))

    later = view.relisted(Relisting(origins, origins != NO_ITEM, titles, titled))
    prefixes = world.test.prefixes()
    scores = later.score(prefixes)
    assert scores.shape == (len(prefixes), n_rows + len(NEW_TITLES))
    np.testing.assert_array_equal(scores[:, :n_rows], view.score(prefixes))
    assert asked in ([], [n_rows, n_rows + 1])
    # New items are unknown to most views, and none of them breaks where one stands in a session.
    session = np.array([n_rows, 1])
    others = later.score_near(session).scores, view.score_near(np.array([NO_ITEM, 1])).scores
    assert np.isfinite(others[0]).all() and len(others[0]) >= len(others[1])


def test_views_without_anything_to_say_are_none(tmp_path: Path, world: World) -> None:
    silent = make_catalogue([1, 1], titles=["", "--"], directory=tmp_path)
    with pytest.raises(DataError):
        fit_words(silent)
    assert VIEWS["content"].fit(silent, world.train) is None
    VIEWS["content"].write(tmp_path, silent, world.train)
    assert VIEWS["content"].read(tmp_path, silent.train_counts, world.train) is None


def test_each_weight_has_one_name_and_one_setting() -> None:
    of_views = [each for view in VIEWS.values() for each in (view.weight, view.rare_weight) if each]
    assert [weight.name for weight in (*of_views, *ITEM_WEIGHTS)] == list(WEIGHTS)
    assert list(FixedMixture().weights()) == list(WEIGHTS)
    assert FixedMixture().weights() == {name: weight.default for name, weight in WEIGHTS.items()}


def test_weights_are_equal_by_what_they_count() -> None:
    assert Weights(by_id=2, trend=0) == Weights(by_id=2.0)
    assert len({Weights(by_id=2), Weights(by_id=2.0, rare=0), Weights(by_id=2).but(rare=1)}) == 2
    assert Weights(by_id=2).but(rare=-1) == Weights(by_id=2, rare=-1)
    assert repr(Weights(by_id=2, rare=-0.5)) == "Weights(by_id=2, rare=-0.5)"


def test_weights_that_do_not_exist_are_refused() -> None:
    with pytest.raises(ValueError, match="no weight is called by_name, words; known: by_id, by_metadata"):
        Weights(by_id=1, words=2, by_name=3)
