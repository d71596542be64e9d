"""Content kNN: items whose words are most like those of the session's items (TF-IDF and cosine)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.encoded import NO_ITEM
from m2trec_merlin.histories import distinct_events_before
from m2trec_merlin.neighbours.background import (
    arbitrary_order,
    popularity_share,
    sessions_repeat_items,
)
from m2trec_merlin.neighbours.word_likeness import WordLikeness, fit_words
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
