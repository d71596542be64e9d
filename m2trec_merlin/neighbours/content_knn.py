"""Content kNN: items whose words are most like those of the session's items (TF-IDF and cosine)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse

from m2trec_merlin.attributes.words import words_of
from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.encoded import NO_ITEM
from m2trec_merlin.errors import DataError
from m2trec_merlin.histories import distinct_events_before
from m2trec_merlin.neighbours.background import (
    arbitrary_order,
    popularity_share,
    sessions_repeat_items,
)
from m2trec_merlin.neighbours.incidence import lines_of
from m2trec_merlin.neighbours.views import EVERY_GROUP, Said, SessionView, steps_back
from m2trec_merlin.sessions import Prefixes, Sessions

#: Multiple of `popularity_share` added to the cosine: decides between items with nearly equal words.
POPULARITY_WEIGHT = 0.05

#: Multiple of `arbitrary_order`: items with equal words and popularity stand in some fixed order.
ORDER_WEIGHT = 1e-4


class ContentKnn:
    """score(j) = cos(words of j, profile) + a little popularity.

    The profile is the mean of the TF-IDF vectors of the prefix's items, weighted by 1 / (1 + d) where d
    is the number of steps to the end of the prefix. Every item with words is a candidate, also items
    never seen; the vocabulary and the inverse document frequencies come from training items only.

    Args:
        catalogue: the items.
        train: decides whether a session's own items are recommended (`sessions_repeat_items`).
        words: what describes each item, N texts; default: `item_words`.
        name: for the report.

    Raises:
        DataError: no training item has any word.
    """

    candidates = "all catalogue items"

    def __init__(
        self,
        catalogue: Catalogue,
        train: Sessions,
        words: Sequence[str] | None = None,
        name: str = "content kNN",
    ) -> None:
        self.name = name
        self.repeats = sessions_repeat_items(train)
        self.likeness = WordLikeness(fit_words(catalogue, words)[0])
        self.background = POPULARITY_WEIGHT * popularity_share(catalogue)
        self.background += ORDER_WEIGHT * arbitrary_order(catalogue)
        self.background[NO_ITEM] = -np.inf

    def score(self, prefixes: Prefixes) -> np.ndarray:
        """Return the scores of all items, float32 [P, R]."""
        scores = self.likeness.score(prefixes)
        scores += self.background
        if not self.repeats:
            items = distinct_events_before(prefixes)
            scores[items.prefix, items.row] = -np.inf
        return scores


@dataclass(frozen=True)
class WordVectors:
    """What words items have: one vector for all items of equal words.

    Attributes:
        texts: float32 [K, words], TF-IDF of each text, of length 1 or 0.
        text_of: int64 [R], of each row.
    """

    texts: sparse.csr_matrix
    text_of: np.ndarray


class WordLikeness(SessionView):
    """score(j) = cos(words of j, profile), 0 where they share no word; the profile is that of `ContentKnn`.

    Args:
        words: of the items.
        repeats: whether a session's own items are candidates.
    """

    name = "likeness of words"
    candidates = "all catalogue items"

    def __init__(self, words: WordVectors, repeats: bool = True) -> None:
        self.usual = np.zeros(words.texts.shape[0], np.float32)
        self.group_of: np.ndarray = words.text_of
        self.repeats = repeats
        self._texts = words.texts
        self._holders = words.texts.T.tocsr()

    def say(self, session: np.ndarray) -> Said:
        """See `SessionView.say`."""
        items, distances = steps_back(session)
        texts, holders = self._texts, self._holders
        (held, weights), lengths = lines_of(texts, self.group_of[items], texts.indices, texts.data)
        words, place = np.unique(held, return_inverse=True)
        sums = np.bincount(place, weights * np.repeat(1 / (1 + distances), lengths), len(words))
        profile = sums / max(float(np.linalg.norm(sums)), 1e-12)
        (held, weights), lengths = lines_of(holders, words, holders.indices, holders.data)
        cosines = np.bincount(held, weights * np.repeat(profile, lengths), len(self.usual))
        return Said(EVERY_GROUP, cosines.astype(np.float32))


def item_words(catalogue: Catalogue) -> list[str]:
    """Return the title of each item, N texts; where no attribute is text, its categories as words."""
    if catalogue.titled:
        return [str(title) for title in catalogue.display()["title"].fillna("")]
    return category_words(catalogue)


def category_words(catalogue: Catalogue) -> list[str]:
    """Return the categories of each item as words such as `aisle_17`, N texts."""
    words: list[list[str]] = [[] for _ in range(catalogue.n_rows - 1)]
    for name in catalogue.categories:
        column = catalogue.attributes[name]
        for row in range(1, catalogue.n_rows):
            words[row - 1].extend(f"{name}_{value}" for value in column.of(row))
    return [" ".join(line) for line in words]


@dataclass(frozen=True)
class Vocabulary:
    """What words count: TF-IDF, as scikit-learn has it.

    Attributes:
        words: in the order of the columns.
        idf: float32 [words].
    """

    words: Sequence[str]
    idf: np.ndarray

    @cached_property
    def _column_of(self) -> dict[str, int]:
        return {word: column for column, word in enumerate(self.words)}

    def vectors(self, texts: Sequence[str]) -> sparse.csr_matrix:
        """Return the vectors of texts, float32 [n, words], of length 1 or 0; unknown words count nothing."""
        rows, columns = [], []
        for row, text in enumerate(texts):
            known = [self._column_of[word] for word in words_of(text) if word in self._column_of]
            rows += [row] * len(known)
            columns += known
        counts = np.ones(len(rows), np.float32)
        shape = (len(texts), len(self.words))
        weighted = sparse.csr_matrix((counts, (rows, columns)), shape) @ sparse.diags(self.idf)
        lengths = np.sqrt(np.asarray(weighted.multiply(weighted).sum(axis=1)).ravel())
        scales = sparse.diags((1 / np.maximum(lengths, 1e-12)).astype(np.float32))
        return (scales @ weighted).tocsr().astype(np.float32)


def fit_words(catalogue: Catalogue, words: Sequence[str] | None = None) -> tuple[WordVectors, Vocabulary]:
    """Return TF-IDF vectors of items, and what the words count.

    Args:
        catalogue: vocabulary and frequencies come from its training items.
        words: what describes each item, N texts; default: `item_words`.

    Raises:
        DataError: no training item has any word.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(analyzer=words_of, dtype=np.float32)
    seen = np.flatnonzero(catalogue.train_counts[1:] > 0)
    words = item_words(catalogue) if words is None else words
    try:
        vectorizer.fit([words[index] for index in seen])
    except ValueError:
        raise DataError(
            "content kNN",
            ["no training item has a title or category"],
        ) from None
    # Row NO_ITEM has no words.
    text_of = {"": 0}
    texts = np.array([0, *(text_of.setdefault(text, len(text_of)) for text in words)])
    vocabulary = Vocabulary(list(vectorizer.get_feature_names_out()), vectorizer.idf_.astype(np.float32))
    return WordVectors(vectorizer.transform(text_of), texts), vocabulary
