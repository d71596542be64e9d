"""Session kNN: items of the training sessions that are most like the current one (V-SKNN).

After M. Ludewig and D. Jannach, "Evaluation of session-based recommendation algorithms", User Modeling
and User-Adapted Interaction 28 (2018), with two refinements of later work: the index keeps only the
most recent sessions of each item, so that its cost does not grow with the data, and similarities count
rare items more. With d(i) the steps from item i to the end of the prefix p, df(i) the training sessions
that hold i, and S their number:

    similarity(p, s) = sum over i in p and s of max(1 - 0.1 d(i), 0.01) * log(S / df(i)) / |s|^norm
    score(j)         = sum over the k most similar s that hold j of
                           similarity(p, s) / (1 + min over i in p and s of d(i)) * (1 + log(S / df(j)))

Scores are divided by the highest, and a small multiple of the item's popularity fills the places for
which the neighbours suggest nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from m2trec_merlin.arrays import ragged_positions
from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.histories import Events, distinct_events_before
from m2trec_merlin.neighbours.background import popularity_share, sessions_repeat_items
from m2trec_merlin.neighbours.incidence import held_by
from m2trec_merlin.sessions import Prefixes, Sessions


@dataclass(frozen=True)
class SessionKnnParameters:
    """What was chosen on the validation sessions of Instacart and Diginetica; see docs/evaluation.md.

    Attributes:
        neighbours: k.
        sessions_per_item: training sessions that the index keeps of each item, the last ones.
        length_norm: how much longer training sessions count less; 0 is V-SKNN's dot product, 0.5 a cosine.
        popularity_weight: multiple of `popularity_share` that is added to scores between 0 and 1.
    """

    neighbours: int = 500
    sessions_per_item: int = 5000
    length_norm: float = 0.25
    popularity_weight: float = 0.005


@dataclass(frozen=True)
class Neighbours:
    """The training sessions most like each prefix of a block.

    Attributes:
        session: int64 [M], index among the training sessions.
        similarity: float32 [M].
        offsets: int64 [P + 1]; those of prefix p are `session[offsets[p]:offsets[p + 1]]`.
    """

    session: np.ndarray
    similarity: np.ndarray
    offsets: np.ndarray


class SessionKnn:
    """Recommends what similar training sessions hold.

    Args:
        catalogue: with the number of training occurrences of each item.
        train: the sessions that can be neighbours, the most recent ones last.
        parameters: see there.
        repeats: whether a session's own items may be recommended; default: `sessions_repeat_items`.
    """

    name = "session kNN"
    candidates = "training items"

    def __init__(
        self,
        catalogue: Catalogue,
        train: Sessions,
        parameters: SessionKnnParameters | None = None,
        repeats: bool | None = None,
    ) -> None:
        self.parameters = parameters or SessionKnnParameters()
        self.repeats = sessions_repeat_items(train) if repeats is None else repeats
        self.sessions = held_by(train, catalogue.n_rows)
        self.lengths = np.diff(self.sessions.indptr).astype(np.int64)
        self.index = _keep_last(self.sessions.T.tocsr(), self.parameters.sessions_per_item)
        frequency = np.bincount(self.sessions.indices, minlength=catalogue.n_rows)
        self.rarity = np.log(max(len(train), 1) / np.maximum(frequency, 1)).astype(np.float32)
        self.damping = (np.maximum(self.lengths, 1) ** -self.parameters.length_norm).astype(np.float32)
        self.background = self.parameters.popularity_weight * popularity_share(catalogue)
        self.background[frequency == 0] = -np.inf

    def score(self, prefixes: Prefixes) -> np.ndarray:
        """Return the scores of all items, float32 [P, R]."""
        items = distinct_events_before(prefixes)
        neighbours = self._find_neighbours(items, len(prefixes))
        weights = neighbours.similarity * self._recency(items, neighbours)
        shape = (len(prefixes), len(self.lengths))
        votes = sparse.csr_matrix((weights, neighbours.session, neighbours.offsets), shape) @ self.sessions
        scores: np.ndarray = votes.toarray()
        scores *= 1 + self.rarity
        scores /= np.maximum(scores.max(axis=1, keepdims=True), np.finfo(np.float32).tiny)
        scores += self.background
        if not self.repeats:
            scores[items.prefix, items.row] = -np.inf
        return scores

    def _find_neighbours(self, items: Events, n_prefixes: int) -> Neighbours:
        weights = np.maximum(1 - 0.1 * items.distance, 0.01).astype(np.float32) * self.rarity[items.row]
        shape = (n_prefixes, self.index.shape[0])
        similar = sparse.csr_matrix((weights, (items.prefix, items.row)), shape) @ self.index
        similar.data *= self.damping[similar.indices]
        k = self.parameters.neighbours
        kept = [
            start + _most_similar(similar.data[start:end], similar.indices[start:end], k)
            for start, end in zip(similar.indptr[:-1], similar.indptr[1:], strict=True)
        ]
        chosen = np.concatenate([np.empty(0, np.int64), *kept])
        offsets = np.cumsum([0, *map(len, kept)], dtype=np.int64)
        return Neighbours(similar.indices[chosen].astype(np.int64), similar.data[chosen], offsets)

    def _recency(self, items: Events, neighbours: Neighbours) -> np.ndarray:
        """Return 1 / (1 + steps since the last item that prefix and neighbour share), float32 [M]."""
        n_prefixes = len(neighbours.offsets) - 1
        inverse = np.zeros((n_prefixes, self.index.shape[0]), np.float32)
        inverse[items.prefix, items.row] = 1 / (1 + items.distance)
        lengths = self.lengths[neighbours.session]
        held = self.sessions.indices[ragged_positions(self.sessions.indptr[neighbours.session], lengths)]
        prefix = np.repeat(np.arange(n_prefixes), np.diff(neighbours.offsets))
        shared = inverse[np.repeat(prefix, lengths), held]
        if not len(shared):
            return shared
        # A neighbour shares an item, so it holds one, and no segment is empty.
        return np.asarray(np.maximum.reduceat(shared, np.cumsum(lengths) - lengths))


def _keep_last(index: sparse.csr_matrix, count: int) -> sparse.csr_matrix:
    """Keep the last `count` entries of each line."""
    index.sort_indices()
    lengths = np.diff(index.indptr)
    kept = np.minimum(lengths, count)
    entries = ragged_positions(index.indptr[1:] - kept, kept)
    offsets = np.concatenate([[0], np.cumsum(kept)])
    return sparse.csr_matrix((index.data[entries], index.indices[entries], offsets), index.shape)


def _most_similar(similarities: np.ndarray, sessions: np.ndarray, count: int) -> np.ndarray:
    """Return where the `count` highest similarities stand; of equal ones, those of the latest sessions."""
    if len(similarities) <= count:
        return np.arange(len(similarities))
    # Sums of the same numbers in another order differ in the last digits: these must not decide.
    keys = np.round(similarities.astype(np.float64), 5) + sessions * (1e-6 / (sessions.max() + 1))
    return np.argpartition(keys, len(keys) - count)[len(keys) - count :]
