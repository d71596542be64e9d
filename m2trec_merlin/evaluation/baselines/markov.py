"""What followed the session's last item in training: a first-order Markov chain."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.encoded import NO_ITEM
from m2trec_merlin.histories import distinct_events_before
from m2trec_merlin.neighbours.background import popularity_of_seen, sessions_repeat_items
from m2trec_merlin.sessions import Prefixes, Sessions

#: Multiple of `popularity_share` that orders what never followed.
POPULARITY_WEIGHT = 1e-3


class Markov:
    """score(j) = share of the events after the prefix's last item that were j, plus a little popularity.

    Args:
        catalogue: with the number of training occurrences of each item.
        train: the sessions that are counted; they also decide whether a session's own items are recommended
            (`sessions_repeat_items`).
    """

    name = "Markov chain"
    candidates = "training items"

    def __init__(self, catalogue: Catalogue, train: Sessions) -> None:
        self.repeats = sessions_repeat_items(train)
        before, after = train.rows[:-1], train.rows[1:]
        counted = (before != NO_ITEM) & (after != NO_ITEM)
        # The first event of a session follows none of it.
        counted[train.offsets[1:-1] - 1] = False
        shape = (catalogue.n_rows, catalogue.n_rows)
        ones = np.ones(int(counted.sum()), np.float32)
        follows = sparse.csr_matrix((ones, (before[counted], after[counted])), shape)
        totals = np.maximum(np.asarray(follows.sum(axis=1)).ravel(), 1)
        self.shares = sparse.diags((1 / totals).astype(np.float32)) @ follows
        self.background = popularity_of_seen(catalogue, POPULARITY_WEIGHT)

    def score(self, prefixes: Prefixes) -> np.ndarray:
        """Return the scores of all items, float32 [P, R]."""
        last = prefixes.sessions.rows[prefixes.sessions.offsets[prefixes.session] + prefixes.length - 1]
        scores: np.ndarray = self.shares[last].toarray()
        scores += self.background
        if not self.repeats:
            held = distinct_events_before(prefixes)
            scores[held.prefix, held.row] = -np.inf
        return scores
