"""Content kNN: items whose words are most like those of the session's items (TF-IDF and cosine)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from m2trec_merlin.baselines.base import Baseline, arbitrary_order
from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.encoded import NO_ITEM
from m2trec_merlin.neighbours.popularity import popularity_share
from m2trec_merlin.neighbours.word_likeness import WordLikeness, fit_words
from m2trec_merlin.sessions import Prefixes, Sessions

#: Multiple of `popularity_share` added to the cosine: decides between items with nearly equal words.
POPULARITY_WEIGHT = 0.05

#: Multiple of `arbitrary_order`: items with equal words and popularity stand in some fixed order.
ORDER_WEIGHT = 1e-4


class ContentKnn(Baseline):
    """score(j) = cos(words of j, profile) + a little popularity.

    The profile is the mean of the TF-IDF vectors of the prefix's items, weighted by 1 / (1 + d) where d
    is the number of steps to the end of the prefix. Every item with words is a candidate, also items
    never seen; the vocabulary and the inverse document frequencies come from known items only. Where
    there are many texts, the cosine is that of the nearest ones, and 0 of all others (`WordLikeness`).

    Args:
        catalogue: the items.
        sessions: that are known.
        words: what describes each item, N texts; default: `item_words`.
        name: for the report.

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

    def told_by(self, prefixes: Prefixes) -> np.ndarray:
        """Return cosines, float32 [P, R]."""
        return self.likeness.score(prefixes)
