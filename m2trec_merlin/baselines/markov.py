"""What followed the session's last item before: a first-order Markov chain."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from m2trec_merlin.baselines.base import Baseline, popularity_of_seen
from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.encoded import NO_ITEM
from m2trec_merlin.sessions import Prefixes, Sessions

#: Multiple of `popularity_share` that orders what never followed.
POPULARITY_WEIGHT = 1e-3


class Markov(Baseline):
    """score(j) = share of the events after the prefix's last item that were j, plus a little popularity.

    Args:
        catalogue: with the number of occurrences of each item.
        sessions: the sessions that are counted.
    """

    name = "Markov chain"
    candidates = "items of known sessions"

    def __init__(self, catalogue: Catalogue, sessions: Sessions) -> None:
        super().__init__(sessions, popularity_of_seen(catalogue, POPULARITY_WEIGHT))
        before, after = sessions.rows[:-1], sessions.rows[1:]
        counted = (before != NO_ITEM) & (after != NO_ITEM)
        # The first event of a session follows none of it.
        counted[sessions.offsets[1:-1] - 1] = False
        shape = (catalogue.n_rows, catalogue.n_rows)
        ones = np.ones(int(counted.sum()), np.float32)
        follows = sparse.csr_matrix((ones, (before[counted], after[counted])), shape)
        totals = np.maximum(np.asarray(follows.sum(axis=1)).ravel(), 1)
        self.shares = sparse.diags((1 / totals).astype(np.float32)) @ follows

    def told_by(self, prefixes: Prefixes) -> np.ndarray:
        """See `Baseline`."""
        last = prefixes.sessions.rows[prefixes.sessions.offsets[prefixes.session] + prefixes.length - 1]
        told: np.ndarray = self.shares[last].toarray()
        return told
