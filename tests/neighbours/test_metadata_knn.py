"""Session kNN by metadata."""

from __future__ import annotations

import dataclasses

import numpy as np

from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.encoded import EncodedColumn, Field, Layout
from m2trec_merlin.neighbours.metadata_knn import MetadataKnn, first_of_equal_metadata
from m2trec_merlin.neighbours.session_knn import SessionKnn
from m2trec_merlin.sessions import Sessions
from tests.evaluation.contracts import ItemScorerContract
from tests.worlds.encoded import ragged, tiny_catalogue


def titled(titles: list[list[int]], colours: list[int], counts: list[int]) -> Catalogue:
    values, offsets = ragged([[1], *titles])
    return Catalogue(
        np.arange(len(titles) + 1),
        np.array([0, *counts]),
        {
            "title": EncodedColumn(Field("title", Layout.ID_LISTS, 9), values, offsets),
            "colour": EncodedColumn(Field("colour", Layout.IDS, 9), np.array([1, *colours])),
        },
    )


class TestMetadataKnn(ItemScorerContract):
    def build(self, catalogue: Catalogue, train: Sessions) -> MetadataKnn:
        return MetadataKnn.fit(catalogue, train)


def test_all_of_the_metadata_has_to_be_equal() -> None:
    titles = [[3, 4], [3], [3, 4], [3, 4], [3], [4, 3]]
    catalogue = titled(titles, colours=[5, 5, 5, 6, 5, 5], counts=[1] * 6)
    assert first_of_equal_metadata(catalogue).tolist() == [0, 1, 2, 1, 4, 2, 6]


def test_vectors_alone_say_of_no_two_items_that_they_are_the_same() -> None:
    field = Field("image", Layout.VECTORS, 2)
    images = {"image": EncodedColumn(field, np.ones((4, 2), np.float32))}
    catalogue = Catalogue(np.arange(4), np.array([0, 1, 1, 1]), images)
    assert first_of_equal_metadata(catalogue).tolist() == [0, 1, 2, 3]
    assert not MetadataKnn.is_worth_trying(catalogue)


def test_where_no_two_items_are_alike_it_is_session_knn() -> None:
    catalogue = tiny_catalogue()
    train = Sessions.from_lists([[1, 2, 3], [2, 3, 4], [1, 4], [5, 6, 1]])
    prefixes = Sessions.from_lists([[1, 2, 9], [3, 5, 7, 2]]).prefixes()
    ours, theirs = MetadataKnn.fit(catalogue, train), SessionKnn.fit(catalogue, train)
    np.testing.assert_array_equal(ours.score(prefixes), theirs.score(prefixes))


def test_an_item_listed_anew_has_the_neighbours_and_the_votes_of_the_old_one() -> None:
    """Item 4 is item 1 under another id, item 5 is item 2; neither was ever bought."""
    catalogue = titled([[3], [4], [5], [3], [4]], [7] * 5, counts=[2, 2, 1, 0, 0])
    train = Sessions.from_lists([[1, 2], [1, 2], [3, 1]])
    knn = MetadataKnn.fit(catalogue, train)
    old, new = (knn.score(Sessions.from_lists([[item, 3]]).prefixes())[0] for item in (1, 4))
    others = [2, 3, 5]
    np.testing.assert_array_equal(old[others], new[others])
    assert old[4] == new[1] and np.isneginf([old[1], new[4]]).all(), "each leaves out its own id alone"
    assert old[2] == old[5] == old[others].max()
    assert not np.isfinite(
        SessionKnn.fit(catalogue, train).score(Sessions.from_lists([[1, 3]]).prefixes())[0, 5]
    )


def test_vectors_do_not_keep_equal_items_apart() -> None:
    catalogue = titled([[3], [3]], [7, 7], counts=[1, 1])
    nearly = np.array([[0], [1], [1 + 1e-6]], np.float32)
    columns = {**catalogue.attributes, "meaning": EncodedColumn(Field("meaning", Layout.VECTORS, 1), nearly)}
    assert first_of_equal_metadata(dataclasses.replace(catalogue, attributes=columns)).tolist() == [0, 1, 1]


def test_a_sessions_own_ids_are_left_out_and_their_twins_are_not() -> None:
    """Items 1 and 4 are twins, which sessions hold together; no session holds an id twice."""
    catalogue = titled([[3], [4], [5], [3]], [7] * 4, counts=[3, 2, 1, 2])
    train = Sessions.from_lists([[1, 4, 2], [4, 1, 2], [1, 3]])
    scores = MetadataKnn.fit(catalogue, train).score(Sessions.from_lists([[1, 2]]).prefixes())[0]
    assert np.isneginf(scores[1])
    assert scores[4] == scores.max()


def test_own_ids_stay_where_sessions_repeat_them() -> None:
    catalogue = titled([[3], [4], [5]], [7] * 3, counts=[4, 2, 1])
    train = Sessions.from_lists([[1, 2, 1], [1, 2, 1], [3, 2]])
    scores = MetadataKnn.fit(catalogue, train).score(Sessions.from_lists([[1, 2]]).prefixes())[0]
    assert np.isfinite(scores[1])
