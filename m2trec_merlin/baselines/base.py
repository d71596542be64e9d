"""The base class of baselines: background scores, and the exclusion of a session's own items."""

from __future__ import annotations

import numpy as np
import pandas as pd

from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.histories import distinct_events_before
from m2trec_merlin.neighbours.popularity import popularity_share
from m2trec_merlin.neighbours.repeats import sessions_repeat_items
from m2trec_merlin.sessions import Prefixes, Sessions


class Baseline:
    """An `ItemScorer` whose score of an item is a part that depends on the session plus a background score.

    The session's own items are left out if known sessions hardly repeat any (`sessions_repeat_items`).

    Args:
        sessions: known sessions.
        background: score of each item independent of the session, float32 [R]; -inf for items that are no
            candidates.
    """

    def __init__(self, sessions: Sessions, background: np.ndarray) -> None:
        self.repeats, self.background = sessions_repeat_items(sessions), background

    def session_scores(self, prefixes: Prefixes) -> np.ndarray:
        """Return the part of the scores that depends on the prefix, float32 [P, R]; may be overwritten."""
        raise NotImplementedError

    def score(self, prefixes: Prefixes) -> np.ndarray:
        """See `ItemScorer.score`."""
        scores = self.session_scores(prefixes)
        scores += self.background
        if not self.repeats:
            held = distinct_events_before(prefixes)
            scores[held.prefix, held.row] = -np.inf
        return scores


def popularity_of_seen(catalogue: Catalogue, weight: float) -> np.ndarray:
    """Return a multiple of `popularity_share`, float32 [R]; -inf for items that never occurred."""
    shares = weight * popularity_share(catalogue.train_counts)
    shares[catalogue.train_counts == 0] = -np.inf
    return shares


def arbitrary_order(catalogue: Catalogue) -> np.ndarray:
    """Return a number between 0 and 1 for each item that depends on its id only, float32 [R].

    A small multiple of it breaks ties, as every real system does somehow.
    """
    hashes = pd.util.hash_array(catalogue.item_ids.astype(str).astype(object))
    return (hashes / 2.0**64).astype(np.float32)
