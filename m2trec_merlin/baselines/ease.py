"""EASE: a linear model of items that occur together, in closed form.

After H. Steck, "Embarrassingly Shallow Autoencoders for Sparse Data", The Web Conference 2019. With X the
known sessions by items, P = (X'X + penalty I)^-1, the weights B = I - P diag(1 / P) predict each item of a
session from the others.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import inv

from m2trec_merlin.baselines.base import Baseline, popularity_of_seen
from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.errors import DataError
from m2trec_merlin.histories import distinct_events_before
from m2trec_merlin.neighbours.incidence import held_by, weights_before
from m2trec_merlin.sessions import Prefixes, Sessions

#: The L2 penalty, which is added to the diagonal.
PENALTY = 100.0
#: Maximum number of items: their matrix of pairs takes 1.8 GB twice.
MOST_ITEMS = 15_000
#: Multiple of `popularity_share` that orders items to which the weights give the same score.
POPULARITY_WEIGHT = 1e-4


class Ease(Baseline):
    """Scores items by the weights of the prefix's items, plus a little popularity.

    score(j) = sum over the prefix's items i of B(i, j) / (1 + d(i)), where d(i) is the number of steps from i
    to the end of the prefix.

    Args:
        catalogue: items and their occurrences.
        sessions: known sessions, X.

    Raises:
        DataError: there are more than `MOST_ITEMS` known items.
    """

    name = "EASE"
    candidates = "items of known sessions"

    def __init__(self, catalogue: Catalogue, sessions: Sessions) -> None:
        self.rows = np.flatnonzero(catalogue.train_counts)
        n_items = len(self.rows)
        if n_items > MOST_ITEMS:
            raise DataError(
                "EASE",
                [f"it inverts all pairs of known items: {MOST_ITEMS:,} items at most, not {n_items:,}"],
            )
        super().__init__(sessions, popularity_of_seen(catalogue, POPULARITY_WEIGHT))
        held = held_by(sessions, catalogue.n_rows)[:, self.rows]
        pairs = (held.T @ held).toarray()
        pairs[np.diag_indices(n_items)] += np.float32(PENALTY)
        inverse = inv(pairs, overwrite_a=True, check_finite=False)
        inverse /= -np.diag(inverse).copy()
        inverse[np.diag_indices(n_items)] = 0
        self.weights = inverse.astype(np.float32, copy=False)

    def session_scores(self, prefixes: Prefixes) -> np.ndarray:
        """See `Baseline`."""
        items = distinct_events_before(prefixes)
        told = np.zeros((len(prefixes), len(self.background)), np.float32)
        before = weights_before(items, *told.shape)[:, self.rows]
        told[:, self.rows] = before @ self.weights
        return told
