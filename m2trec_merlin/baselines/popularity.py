"""The most frequent items, whatever the session."""

from __future__ import annotations

import numpy as np

from m2trec_merlin.baselines.base import Baseline
from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.sessions import Prefixes, Sessions


class Popularity(Baseline):
    """Scores items by their occurrences in known sessions.

    Args:
        catalogue: items and their occurrences.
        sessions: known sessions.
    """

    name = "popularity"
    candidates = "items of known sessions"

    def __init__(self, catalogue: Catalogue, sessions: Sessions) -> None:
        counts = catalogue.train_counts
        super().__init__(sessions, np.where(counts > 0, counts, -np.inf).astype(np.float32))

    def session_scores(self, prefixes: Prefixes) -> np.ndarray:
        """Return zeros, float32 [P, R]."""
        return np.zeros((len(prefixes), len(self.background)), np.float32)
