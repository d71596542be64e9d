from __future__ import annotations

import dataclasses
import unicodedata
from pathlib import Path

import numpy as np
import pytest

from m2trec_merlin.baselines.content_knn import ContentKnn
from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.encoded import EncodedColumn, Field, Layout
from m2trec_merlin.errors import DataError
from m2trec_merlin.evaluation.ranking import top_rows
from m2trec_merlin.neighbours.word_likeness import WordLikeness, category_words, fit_words, item_words
from m2trec_merlin.sessions import Sessions
from tests.evaluation.contracts import ItemScorerContract
from tests.worlds.checkerboard import checkerboard, make_catalogue

TRAIN = Sessions.from_lists([[1, 2, 3]])


class TestContentKnn(ItemScorerContract):
    def build(self, catalogue: Catalogue, train: Sessions) -> ContentKnn:
        return ContentKnn(catalogue, train)

    def test_finds_the_colour_of_the_session(self, tmp_path: Path) -> None:
        world = checkerboard(tmp_path)
        prefixes = world.test.prefixes()
        for index, line in enumerate(self.build(world.catalogue, world.train).score(prefixes)):
            same = np.arange(1, 13) % 2 == prefixes.items(index)[0] % 2
            candidates = np.isfinite(line[1:])
            assert line[1:][same & candidates].min() > line[1:][~same].max()


class TestCategoryProfile(ItemScorerContract):
    def build(self, catalogue: Catalogue, train: Sessions) -> ContentKnn:
        return ContentKnn(catalogue, train, category_words(catalogue), "category profile")


def test_items_never_seen_are_recommended(tmp_path: Path) -> None:
    titles = ["red wine", "white wine", "brown bread", "sparkling red wine"]
    catalogue = make_catalogue([5, 3, 2, 0], titles=titles, directory=tmp_path)
    scores = ContentKnn(catalogue, TRAIN).score(Sessions.from_lists([[1, 2]]).prefixes())
    assert top_rows(scores, 3).tolist() == [[4, 2, 3]]


def test_recent_items_count_more(tmp_path: Path) -> None:
    catalogue = make_catalogue([1] * 4, titles=["wine", "bread", "wine", "bread"], directory=tmp_path)
    scores = ContentKnn(catalogue, TRAIN).score(Sessions.from_lists([[1, 2, 3]]).prefixes())
    assert top_rows(scores, 2).tolist() == [[3, 2], [4, 3]]
    # With weights 1/2 for wine and 1 for bread, the cosines are 1 / sqrt(5) and 2 / sqrt(5).
    difference = scores[1, 4] - scores[1, 3]
    np.testing.assert_allclose(difference, 1 / np.sqrt(5), atol=2e-4)


def test_own_items_are_no_more_like_a_session_than_any_where_sessions_do_not_repeat_them(
    tmp_path: Path,
) -> None:
    catalogue = make_catalogue([1] * 3, titles=["red wine", "red wine", "bread"], directory=tmp_path)
    prefixes = Sessions.from_lists([[1, 2]]).prefixes()
    likeness = [
        WordLikeness(fit_words(catalogue)[0], repeats).score(prefixes)[0] for repeats in (True, False)
    ]
    np.testing.assert_allclose(likeness, [[-np.inf, 1, 1, 0], [-np.inf, -np.inf, 1, 0]], atol=1e-6)


@pytest.mark.parametrize(
    ("near", "far"),
    [
        ("กิน ข้าว", "กัน ข้าว"),
        ("कील", "काल"),
        ("かぎ", "かき"),
        ("Crème brûlée", "creme caramel"),
        ("红茶", "绿茶"),
    ],
)
def test_titles_of_any_script_are_told_apart(tmp_path: Path, near: str, far: str) -> None:
    titles = [near, far, unicodedata.normalize("NFD", near)]
    catalogue = make_catalogue([1] * 3, titles=titles, directory=tmp_path)
    line = ContentKnn(catalogue, TRAIN).score(Sessions.from_lists([[1, 2]]).prefixes())[0]
    assert line[3] > line[2] + 0.1


def test_words_of_unseen_items_are_not_learned(tmp_path: Path) -> None:
    titles = ["wine", "bread", "secret", "secret"]
    catalogue = make_catalogue([2, 2, 0, 0], titles=titles, directory=tmp_path)
    line = ContentKnn(catalogue, TRAIN).score(Sessions.from_lists([[3, 1]]).prefixes())[0]
    assert line[1] > line[4], "the word 'secret' is unknown, so popularity decides"


def test_categories_stand_in_where_there_is_no_text() -> None:
    catalogue = make_catalogue([1, 1, 1], colours=[3, 4, 3])
    assert item_words(catalogue) == ["colour_3", "colour_4", "colour_3"]
    scores = ContentKnn(catalogue, TRAIN).score(Sessions.from_lists([[1, 2]]).prefixes())
    assert top_rows(scores, 1).tolist() == [[3]]


def test_lists_of_categories_give_several_words() -> None:
    catalogue = make_catalogue([1, 1], colours=[3, 4])
    values, offsets = np.array([1, 5, 2, 6, 7]), np.array([0, 1, 4, 5])
    catalogue = dataclasses.replace(catalogue, categories=("colour", "tags"))
    catalogue.attributes["tags"] = EncodedColumn(Field("tags", Layout.ID_LISTS, 8), values, offsets)
    assert category_words(catalogue) == ["colour_3 tags_5 tags_6", "colour_4 tags_7"]


def test_items_are_not_alike_by_what_is_unknown_of_them() -> None:
    """Items 1 and 2 lack the colour, 3 and 4 have one that training never saw; 5 and 6 are alike."""
    catalogue = make_catalogue([1, 1, 1, 1, 1, 1], colours=[1, 1, 2, 2, 3, 3])
    assert category_words(catalogue) == ["", "", "", "", "colour_3", "colour_3"]
    prefixes = Sessions.from_lists([[1, 2], [3, 4], [5, 6]]).prefixes()
    likeness = WordLikeness(fit_words(catalogue)[0]).score(prefixes)
    np.testing.assert_allclose(likeness[:, 1:], [[0] * 6, [0] * 6, [0, 0, 0, 0, 1, 1]], atol=1e-6)


def test_where_no_category_is_known_there_is_no_view_of_content() -> None:
    catalogue = make_catalogue([1, 1, 1], colours=[1, 2, 1])
    assert WordLikeness.fit(catalogue, TRAIN) is None
    with pytest.raises(DataError, match="no training item has a title or category"):
        ContentKnn(catalogue, TRAIN)


def test_items_with_equal_words_do_not_tie() -> None:
    catalogue = make_catalogue([0] * 5 + [1], colours=[3] * 6)
    scores = ContentKnn(catalogue, TRAIN).score(Sessions.from_lists([[6, 1]]).prefixes())
    assert len(set(scores[0, 1:6])) == 5


def test_items_without_any_word_are_reported(tmp_path: Path) -> None:
    catalogue = make_catalogue([1, 1], titles=["", "--"], directory=tmp_path)
    with pytest.raises(DataError, match="no training item has a title or category"):
        ContentKnn(catalogue, TRAIN)


def test_texts_that_come_later_are_weighed_as_those_that_were_fitted(tmp_path: Path) -> None:
    catalogue = checkerboard(tmp_path).catalogue
    texts = [f"red apple {n}" if n % 3 else "red red Käse" for n in range(catalogue.n_rows - 1)]
    words, vocabulary = fit_words(catalogue, texts)
    again = vocabulary.vectors([*texts, "never seen", "red unheard"])
    np.testing.assert_allclose(
        again[: len(texts)].toarray(), words.texts[words.text_of[1:]].toarray(), atol=1e-6
    )
    assert again[len(texts)].nnz == 0 and again[len(texts) + 1].toarray().max() == pytest.approx(1)
