"""Content kNN: items whose words are most similar to those of the session's items (TF-IDF and cosine)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from m2trec_merlin.baselines.base import Baseline, arbitrary_order
from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.encoded import NO_ITEM
from m2trec_merlin.neighbours.popularity import popularity_share
from m2trec_merlin.neighbours.word_likeness import WordLikeness, fit_words
from m2trec_merlin.sessions import Prefixes, Sessions

#: Multiple of `popularity_share` added to the cosine; it decides between items with nearly equal words.
POPULARITY_WEIGHT = 0.05

#: Multiple of `arbitrary_order`, which puts items with equal words and popularity into a fixed order.
ORDER_WEIGHT = 1e-4


class ContentKnn(Baseline):
    """Scores items by score(j) = cos(words of j, profile) + a little popularity.

    The profile is the mean of the TF-IDF vectors of the prefix's items, weighted by 1 / (1 + d) where d
    is the number of steps to the end of the prefix. Every item is a candidate, even if it was never seen;
    the vocabulary and the inverse document frequencies come from known items only. With many texts, only the
    nearest ones get their cosine, and all others 0 (`WordLikeness`).

    Args:
        catalogue: the items.
        sessions: known sessions.
        words: a text for each item, N texts; default: `item_words`.
        name: name in reports.

    Raises:
        DataError: no known item has any word.
    """

    candidates = "all catalogue items"

    def __init__(
        self,
        catalogue: Catalogue,
        sessions: Sessions,
        words: Sequence[str] | None = None,
        name: str = "content kNN",
    ) -> None:
        self.name = name
        background = POPULARITY_WEIGHT * popularity_share(catalogue.train_counts)
        background += ORDER_WEIGHT * arbitrary_order(catalogue)
        background[NO_ITEM] = -np.inf
        super().__init__(sessions, background)
        self.likeness = WordLikeness(fit_words(catalogue, words)[0])

    def session_scores(self, prefixes: Prefixes) -> np.ndarray:
        """Return cosines, float32 [P, R]."""
        return self.likeness.score(prefixes)
