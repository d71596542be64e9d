"""What all baselines have in common: what is known before a session, and whether its own items are none."""

from __future__ import annotations

import numpy as np
import pandas as pd

from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.histories import distinct_events_before
from m2trec_merlin.neighbours.popularity import popularity_share
from m2trec_merlin.neighbours.repeats import sessions_repeat_items
from m2trec_merlin.sessions import Prefixes, Sessions


class Baseline:
    """score(j) = what a session tells of item j, plus what is known of j before; an `ItemScorer`.

    The session's own items are left out where known sessions hardly repeat any (`sessions_repeat_items`).

    Args:
        sessions: that are known.
        background: float32 [R], known of each item; -inf for what is no candidate.
    """

    def __init__(self, sessions: Sessions, background: np.ndarray) -> None:
        self.repeats, self.background = sessions_repeat_items(sessions), background

    def told_by(self, prefixes: Prefixes) -> np.ndarray:
        """Return what each prefix tells of all items, float32 [P, R]; the caller may write into it."""
        raise NotImplementedError

    def score(self, prefixes: Prefixes) -> np.ndarray:
        """See `ItemScorer.score`."""
        scores = self.told_by(prefixes)
        scores += self.background
        if not self.repeats:
            held = distinct_events_before(prefixes)
            scores[held.prefix, held.row] = -np.inf
        return scores


def popularity_of_seen(catalogue: Catalogue, weight: float) -> np.ndarray:
    """Return a multiple of `popularity_share`; -inf for items that never occurred: float32 [R]."""
    shares = weight * popularity_share(catalogue.train_counts)
    shares[catalogue.train_counts == 0] = -np.inf
    return shares


def arbitrary_order(catalogue: Catalogue) -> np.ndarray:
    """Return a number between 0 and 1 for each item that depends on its id only: float32 [R].

    A small multiple of it orders items that would tie, as any real system orders them somehow.
    """
    hashes = pd.util.hash_array(catalogue.item_ids.astype(str).astype(object))
    return (hashes / 2.0**64).astype(np.float32)
