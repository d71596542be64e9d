"""The most frequent training items, whatever the session."""

from __future__ import annotations

import numpy as np

from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.histories import distinct_events_before
from m2trec_merlin.neighbours.background import sessions_repeat_items
from m2trec_merlin.sessions import Prefixes, Sessions


class Popularity:
    """score(i) = occurrences of i in training sessions.

    Args:
        catalogue: with the number of training occurrences of each item.
        train: decides whether a session's own items are recommended (`sessions_repeat_items`).
    """

    name = "popularity"
    candidates = "training items"

    def __init__(self, catalogue: Catalogue, train: Sessions) -> None:
        counts = catalogue.train_counts
        self.scores = np.where(counts > 0, counts, -np.inf).astype(np.float32)
        self.repeats = sessions_repeat_items(train)

    def score(self, prefixes: Prefixes) -> np.ndarray:
        """Return the counts of all items, float32 [P, R]."""
        scores = np.tile(self.scores, (len(prefixes), 1))
        if not self.repeats:
            held = distinct_events_before(prefixes)
            scores[held.prefix, held.row] = -np.inf
        return scores
