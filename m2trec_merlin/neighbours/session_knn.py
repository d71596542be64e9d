"""The view `by_id`, session kNN: items of the known sessions most similar to the current one (V-SKNN).

After M. Ludewig and D. Jannach, "Evaluation of session-based recommendation algorithms", User Modeling
and User-Adapted Interaction 28 (2018), with two refinements of later work: the index keeps only the
most recent sessions of each item, so that its cost does not grow with the data, and similarities count
rare items more. With d(i) the steps from item i to the end of the prefix p, df(i) the number of known
sessions that hold i, and S the number of known sessions:

    similarity(p, s) = sum over i in p and s of max(1 - 0.1 d(i), 0.01) * log(S / df(i)) / |s|^norm
    score(j)         = sum over the k most similar s that hold j of
                           similarity(p, s) / (1 + min over i in p and s of d(i)) * (1 + log(S / df(j)))

Scores are divided by the highest. A small multiple of the item's popularity is added, which fills the places
for which the neighbours suggest nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import sparse

from m2trec_merlin.arrays import offsets_of, ragged_positions
from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.encoded import NO_ITEM
from m2trec_merlin.neighbours.incidence import SparseLines, held_by
from m2trec_merlin.neighbours.popularity import popularity_share
from m2trec_merlin.neighbours.repeats import sessions_repeat_items
from m2trec_merlin.neighbours.views import MixedView, ViewScores, Weight, steps_back
from m2trec_merlin.sessions import Sessions


@dataclass(frozen=True)
class SessionKnnParameters:
    """Parameters, chosen on validation sessions of Instacart and Diginetica; see docs/evaluation.md.

    Attributes:
        neighbours: k.
        sessions_per_item: maximum number of sessions that the index keeps per item, the most recent ones.
        length_norm: exponent that makes long sessions count less; 0 is V-SKNN's dot product, 0.5 a cosine.
        popularity_weight: multiple of `popularity_share` that is added to scores between 0 and 1.
    """

    neighbours: int = 500
    sessions_per_item: int = 5000
    length_norm: float = 0.25
    popularity_weight: float = 0.005


class SessionKnn(MixedView):
    """Recommends items of similar known sessions.

    Args:
        occurrences: occurrences of each item in training, int64 [R].
        sessions: the sessions that can be neighbours, the most recent last.
        parameters: the parameters; None for the defaults.
        repeats: whether a session's own items may be recommended; default: `sessions_repeat_items`.
    """

    name = "session kNN"
    candidates = "items of known sessions"
    group_of = None
    weight = Weight("by_id", 2.0, 1.0, "known sessions that hold the same items")
    guess = (4.0, 0.0)

    def __init__(
        self,
        occurrences: np.ndarray,
        sessions: Sessions,
        parameters: SessionKnnParameters | None = None,
        repeats: bool | None = None,
    ) -> None:
        self.parameters = parameters or SessionKnnParameters()
        self.repeats = sessions_repeat_items(sessions) if repeats is None else repeats
        self._rows, self._numbers = _numbered(sessions, len(occurrences))
        held = held_by(Sessions(self._numbers[sessions.rows], sessions.offsets), len(self._rows))
        lengths, frequency = np.diff(held.indptr), np.bincount(held.indices, minlength=len(self._rows))
        self.sessions = SparseLines(held)
        self.index = SparseLines(_keep_last(held.T.tocsr(), self.parameters.sessions_per_item))
        self.idf = np.log(max(len(sessions), 1) / np.maximum(frequency, 1)).astype(np.float32)
        self.damping = (np.maximum(lengths, 1.0) ** -self.parameters.length_norm).astype(np.float32)
        self.background = self.parameters.popularity_weight * popularity_share(occurrences)
        self.background[self._numbers == NO_ITEM] = -np.inf

    @classmethod
    def fit(cls, catalogue: Catalogue, sessions: Sessions) -> SessionKnn:
        """See `MixedView.fit`."""
        return cls(catalogue.train_counts, sessions)

    @classmethod
    def read(cls, folder: Path, occurrences: np.ndarray, sessions: Sessions) -> SessionKnn:
        """See `MixedView.read`."""
        return cls(occurrences, sessions)

    def score_near(self, session: np.ndarray) -> ViewScores:
        """See `SessionView.score_near`."""
        items, distances = steps_back(self._numbers[session])
        neighbours, similarities = self._most_similar(items, distances)
        if not len(neighbours):
            return ViewScores(neighbours, similarities)
        weights = similarities * self._recency(items, distances, neighbours)
        numbers, votes = self.sessions.sums(neighbours, weights)
        scores = votes.astype(np.float32) * (1 + self.idf[numbers])
        rows = self._rows[numbers]
        shares = scores / scores.max(initial=np.finfo(np.float32).tiny)
        return ViewScores(rows, shares + self.background[rows])

    def _most_similar(self, items: np.ndarray, distances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the k most similar known sessions, int64 [k], and their similarities, float32 [k]."""
        weights = np.maximum(1 - 0.1 * distances, 0.01) * self.idf[items]
        sessions, similarities = self.index.sums(items, weights)
        found = similarities.astype(np.float32) * self.damping[sessions]
        kept = _highest(found, sessions, self.parameters.neighbours)
        return sessions[kept], found[kept]

    def _recency(self, items: np.ndarray, distances: np.ndarray, neighbours: np.ndarray) -> np.ndarray:
        """Return 1 / (1 + steps since the last item shared with each neighbour), float64 [k].

        Args:
            items: numbers (see `_numbered`) of the session's items, int64 [m].
            distances: their steps to the end of the session, int64 [m].
            neighbours: known sessions, int64 [k].
        """
        inverse = np.zeros(len(self._rows))
        inverse[items] = 1 / (1 + distances)
        return self.sessions.greatest(neighbours, inverse)


def _numbered(sessions: Sessions, n_rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Number the items of sessions, the most frequent first, so that items often used are close in memory.

    Returns:
        The row of each number, NO_ITEM first, and the number of each row, int64 [R], NO_ITEM if no session
        holds it.
    """
    counts = np.bincount(sessions.rows, minlength=n_rows)
    counts[NO_ITEM] = 0
    held = np.argsort(-counts, kind="stable")[: np.count_nonzero(counts)]
    rows = np.concatenate([[NO_ITEM], held])
    numbers = np.full(n_rows, NO_ITEM)
    numbers[rows] = np.arange(len(rows))
    return rows, numbers


def _keep_last(index: sparse.csr_matrix, count: int) -> sparse.csr_matrix:
    """Keep the last `count` entries of each line."""
    index.sort_indices()
    lengths = np.diff(index.indptr)
    kept = np.minimum(lengths, count)
    entries = ragged_positions(index.indptr[1:] - kept, kept)
    offsets = offsets_of(kept)
    return sparse.csr_matrix((index.data[entries], index.indices[entries], offsets), index.shape)


def _highest(similarities: np.ndarray, sessions: np.ndarray, count: int) -> np.ndarray:
    """Return the positions of the `count` highest similarities; later sessions win ties."""
    if len(similarities) <= count:
        return np.arange(len(similarities))
    # Sums of the same numbers in another order differ in their last digits, which must not decide.
    keys = np.round(similarities.astype(np.float64), 5) + sessions * (1e-6 / (sessions.max() + 1))
    return np.argpartition(keys, len(keys) - count)[len(keys) - count :]
