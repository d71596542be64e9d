"""A first-order Markov chain: items that followed the session's last item in known sessions."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from m2trec_merlin.baselines.base import Baseline, popularity_of_seen
from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.encoded import NO_ITEM
from m2trec_merlin.sessions import Prefixes, Sessions

#: Multiple of `popularity_share` that orders items that never followed.
POPULARITY_WEIGHT = 1e-3


class Markov(Baseline):
    """Scores items by how often they followed the prefix's last item, plus a little popularity.

    score(j) = share of j among the events directly after that item in known sessions.

    Args:
        catalogue: items and their occurrences.
        sessions: known sessions.
    """

    name = "Markov chain"
    candidates = "items of known sessions"

    def __init__(self, catalogue: Catalogue, sessions: Sessions) -> None:
        super().__init__(sessions, popularity_of_seen(catalogue, POPULARITY_WEIGHT))
        before, after = sessions.rows[:-1], sessions.rows[1:]
        counted = (before != NO_ITEM) & (after != NO_ITEM)
        # The first event of a session does not follow the last one of the session before.
        counted[sessions.offsets[1:-1] - 1] = False
        shape = (catalogue.n_rows, catalogue.n_rows)
        ones = np.ones(int(counted.sum()), np.float32)
        follows = sparse.csr_matrix((ones, (before[counted], after[counted])), shape)
        totals = np.maximum(np.asarray(follows.sum(axis=1)).ravel(), 1)
        self.shares = sparse.diags((1 / totals).astype(np.float32)) @ follows

    def session_scores(self, prefixes: Prefixes) -> np.ndarray:
        """See `Baseline`."""
        last = prefixes.sessions.rows[prefixes.sessions.offsets[prefixes.session] + prefixes.length - 1]
        told: np.ndarray = self.shares[last].toarray()
        return told
