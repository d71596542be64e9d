"""Which texts the likeness of words speaks of."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from scipy import sparse

from m2trec_merlin.encoded import NO_ITEM
from m2trec_merlin.neighbours import word_likeness
from m2trec_merlin.neighbours.views import Relisting
from m2trec_merlin.neighbours.word_likeness import Vocabulary, WordLikeness, WordVectors

#: Texts of four words: none; a; a and b; a and c; c; c and d; d.
WORDS = np.array(
    [[0, 0, 0, 0], [1, 0, 0, 0], [1, 1, 0, 0], [1, 0, 1, 0], [0, 0, 1, 0], [0, 0, 1, 1], [0, 0, 0, 1]], float
)


@pytest.fixture
def texts() -> sparse.csr_matrix:
    lengths = np.maximum(np.linalg.norm(WORDS, axis=1, keepdims=True), 1e-9)
    return sparse.csr_matrix((WORDS / lengths).astype(np.float32))


def said(texts: sparse.csr_matrix, *session: int) -> dict[int, float]:
    view = WordLikeness(WordVectors(texts, np.arange(len(WORDS))))
    groups, scores = view.score_near(np.array(session))
    return dict(zip(groups.tolist(), scores.tolist(), strict=True))


def test_all_texts_that_share_a_word_with_the_session_are_as_like_it_as_the_cosine_says(
    texts: sparse.csr_matrix,
) -> None:
    """The last item counts once, the one before half: a and c in one, and half of d."""
    profile = np.array([1, 0, 1, 0]) / np.sqrt(2) + np.array([0, 0, 0, 1]) / 2
    cosines = texts @ (profile / np.linalg.norm(profile))
    expected = {text: cosine for text, cosine in enumerate(cosines) if cosine > 0}
    assert said(texts, 6, 3) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("nearest", "expected"), [(1, {2}), (2, {1, 2}), (3, {1, 2, 3})])
def test_only_the_nearest_texts_are_told(
    texts: sparse.csr_matrix, monkeypatch: pytest.MonkeyPatch, nearest: int, expected: set[int]
) -> None:
    monkeypatch.setattr(word_likeness, "NEAREST", nearest)
    assert said(texts, 2).keys() == expected


def test_texts_as_near_as_the_last_one_told_are_told_too(
    texts: sparse.csr_matrix, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the session's one word a, two texts with another word each hold the same."""
    monkeypatch.setattr(word_likeness, "NEAREST", 2)
    assert said(texts, 1) == pytest.approx({1: 1, 2: np.sqrt(0.5), 3: np.sqrt(0.5)})


@pytest.mark.parametrize(
    ("holders", "expected"),
    [(1, {5, 6}), (2, {5, 6}), (4, {5, 6}), (5, {3, 4, 5, 6})],
    ids=["the rarest at least", "one", "one and a part", "both"],
)
def test_texts_are_looked_up_by_the_rarest_words(
    texts: sparse.csr_matrix, monkeypatch: pytest.MonkeyPatch, holders: int, expected: set[int]
) -> None:
    """Of the session's words, d is in two texts and c in three; what is found is compared by both."""
    everything = said(texts, 5)
    monkeypatch.setattr(word_likeness, "HOLDERS", 4)
    monkeypatch.setattr(word_likeness, "LOOKED_UP", holders)
    found = said(texts, 5)
    assert found.keys() == expected
    assert found == pytest.approx({text: everything[text] for text in found})


@pytest.mark.parametrize("looked_up", [50, 200, 1000])
def test_what_is_told_is_nearest_of_all_that_hold_the_rarest_words(
    monkeypatch: pytest.MonkeyPatch, looked_up: int
) -> None:
    random = np.random.default_rng(1)
    n_texts, n_words = 1500, 60
    held = random.random((n_texts, n_words)) < np.linspace(0.01, 0.25, n_words)
    weighted = np.where(held, np.log(n_texts / held.sum(axis=0)), 0)
    lengths = np.maximum(np.linalg.norm(weighted, axis=1, keepdims=True), 1e-9)
    vectors = (weighted / lengths).astype(np.float32)
    monkeypatch.setattr(word_likeness, "NEAREST", 20)
    monkeypatch.setattr(word_likeness, "HOLDERS", 3500)
    monkeypatch.setattr(word_likeness, "LOOKED_UP", looked_up)
    view = WordLikeness(WordVectors(sparse.csr_matrix(vectors), np.arange(n_texts)))
    fewer = 0
    for session in random.integers(0, n_texts, (30, 3)):
        profile = vectors[session].T @ (1 / np.array([3, 2, 1]))
        cosines, holders = vectors @ (profile / np.linalg.norm(profile)), held.sum(axis=0)
        words = sorted(np.flatnonzero(profile), key=lambda word: (holders[word], word))
        if holders[words].sum() > 3500:
            fewer += 1
            words = words[: max(1, int((np.cumsum(holders[words]) <= looked_up).sum()))]
        cosines[~held[:, words].any(axis=1)] = 0
        least = max(np.sort(cosines)[-20], 1e-9)
        groups, scores = view.score_near(session)
        assert set(groups) == set(np.flatnonzero(cosines >= least - 1e-7))
        np.testing.assert_allclose(scores, cosines[groups], rtol=1e-5)
    assert 0 < fewer < 30, "both ways were gone"


#: Titles of rows 1 to 8 of a catalogue; after "aa bb" they are less and less like it, but for equal ones.
TITLES = ["aa bb", "aa bb cc", "aa cc", "aa bb", "aa cc dd", "aa cc dd ee", "bb cc dd ee ff", "gg"]
VOCABULARY = Vocabulary(["aa", "bb", "cc", "dd", "ee", "ff", "gg"], np.linspace(1, 2, 7, dtype=np.float32))


def exported(titles: Sequence[str]) -> WordLikeness:
    """Return the view of a catalogue with these titles, all of them weighed by one vocabulary."""
    text_of = {"": 0}
    rows = [text_of.setdefault(title, len(text_of)) for title in ("", *titles)]
    return WordLikeness(WordVectors(VOCABULARY.vectors([*text_of]), np.array(rows)), True, VOCABULARY)


def changed(updates: dict[int, str], added: Sequence[str], removed: Sequence[int]) -> WordLikeness:
    """Return the view of the catalogue of TITLES after updates, by row, and then additions and removals."""
    origins = np.array([*range(len(TITLES) + 1), *updates, *[NO_ITEM] * len(added)])
    live = np.arange(len(origins)) != NO_ITEM
    live[[*updates, *removed]] = False
    titles = np.array(["", *TITLES, *updates.values(), *added])

    def titled(wanted: Sequence[str]) -> np.ndarray:
        return 1 + np.flatnonzero(np.isin(titles[1:], wanted))

    return exported(TITLES).relisted(Relisting(origins, live, lambda rows: titles[rows].tolist(), titled))


@pytest.mark.parametrize(
    ("updates", "added", "removed"),
    [
        ({row: TITLES[row - 1] for row in (1, 2, 4, 5, 8)}, [], []),
        ({3: "aa dd", 4: "aa dd", 8: ""}, [], []),
        ({3: "aa bb cc", 7: "gg"}, [], []),
        ({}, ["aa cc", "aa bb", "ff", "", "ff", "unknown"], []),
        ({}, [], [2, 4, 6]),
        ({}, [], [1, 4]),
        ({1: "aa bb", 5: "aa"}, ["aa cc dd", "aa ee"], [3]),
    ],
    ids=[
        "updates that change no title",
        "other titles",
        "titles of others",
        "new items",
        "items that go",
        "all items of a title go",
        "all of it",
    ],
)
def test_a_changed_catalogue_is_as_like_a_session_as_an_export_of_it(
    monkeypatch: pytest.MonkeyPatch, updates: dict[int, str], added: list[str], removed: list[int]
) -> None:
    monkeypatch.setattr(word_likeness, "NEAREST", 3)
    here = changed(updates, added, removed)
    left = [row for row in range(1, len(TITLES) + 1) if row not in {*updates, *removed}]
    rows = np.array([*left, *range(len(TITLES) + 1, len(here.group_of))])
    whole = exported([*(TITLES[row - 1] for row in left), *updates.values(), *added])
    for places in ([0], [1, 2], [2, 0, 3]):
        said, expected = here._score(rows[places]), whole._score(1 + np.array(places))
        np.testing.assert_allclose(said[rows], expected[1:], rtol=1e-6)


def test_an_update_that_changes_nothing_changes_nothing_to_the_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(word_likeness, "NEAREST", 2)
    before, after = exported(TITLES), changed(dict(enumerate(TITLES, 1)), [], [])
    rows = np.arange(1, len(TITLES) + 1)
    for session in ([1], [2, 3], [7, 5, 1]):
        said = after._score(np.array(session) + len(TITLES))
        assert said[rows + len(TITLES)].tobytes() == before._score(np.array(session))[rows].tobytes()
