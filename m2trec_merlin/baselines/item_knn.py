"""Item kNN: items that occur in the same known sessions as the session's items."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from m2trec_merlin.baselines.base import Baseline, popularity_of_seen
from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.histories import distinct_events_before
from m2trec_merlin.neighbours.incidence import held_by, weights_before
from m2trec_merlin.sessions import Prefixes, Sessions

#: Term added to the denominator of likeness, which lowers the likeness of items that few sessions hold.
SHRINKAGE = 10.0
#: Multiple of `popularity_share` that orders items that share no session with the session's items.
POPULARITY_WEIGHT = 1e-4


class ItemKnn(Baseline):
    """Scores items by their likeness to the prefix's items, plus a little popularity.

    score(j) = sum over the prefix's items i of likeness(i, j) / (1 + d(i)), with
    likeness(i, j) = c(i, j) / (sqrt(c(i) c(j)) + 10), where c counts the known sessions that hold an item,
    or both, and d(i) is the number of steps from i to the end of the prefix.

    Args:
        catalogue: items and their occurrences.
        sessions: known sessions.
    """

    name = "item kNN"
    candidates = "items of known sessions"

    def __init__(self, catalogue: Catalogue, sessions: Sessions) -> None:
        super().__init__(sessions, popularity_of_seen(catalogue, POPULARITY_WEIGHT))
        held = held_by(sessions, catalogue.n_rows)
        together = (held.T @ held).tocoo()
        root = np.sqrt(np.asarray(held.sum(axis=0)).ravel())
        apart = together.row != together.col
        row, column = together.row[apart], together.col[apart]
        likeness = together.data[apart] / (root[row] * root[column] + SHRINKAGE)
        self.likeness = sparse.csr_matrix((likeness.astype(np.float32), (row, column)), together.shape)

    def session_scores(self, prefixes: Prefixes) -> np.ndarray:
        """See `Baseline`."""
        items = distinct_events_before(prefixes)
        before = weights_before(items, len(prefixes), self.likeness.shape[0])
        told: np.ndarray = (before @ self.likeness).toarray()
        return told
