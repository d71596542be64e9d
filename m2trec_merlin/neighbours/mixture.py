"""A model and its neighbours together: two views of the next item, mixed in log-probabilities."""

from __future__ import annotations

import numpy as np
from scipy.special import log_softmax

from m2trec_merlin.scores import ItemScorer
from m2trec_merlin.sessions import Prefixes

#: Of the neighbours' logarithm against the model's, and what stands for "no neighbour"; chosen on validation
#: (docs/quality.md).
WEIGHT, FLOOR = 2.0, 0.05


def mix(scores: np.ndarray, near: np.ndarray, weight: float = WEIGHT, floor: float = FLOOR) -> np.ndarray:
    """Return log softmax(scores) + weight * log(max(near, 0) + floor), float32 [P, R].

    A neighbourhood remembers single training sessions, which a model smooths over; a model ranks the items
    that no neighbour holds. An item is lifted by at most weight * log((1 + floor) / floor).

    Args:
        scores: of a model, float32 [P, R], log-odds; what it cannot recommend (-inf) stays so.
        near: of neighbours, likewise: about 0 to 1, the highest of each prefix near 1, as `SessionKnn` gives.
        weight: of the neighbours' logarithm.
        floor: above 0.
    """
    mixed: np.ndarray = log_softmax(scores, axis=1)
    mixed += np.float32(weight) * np.log(np.maximum(near, 0) + np.float32(floor))
    return mixed


class Mixture:
    """A model mixed with neighbours.

    Args:
        name: in reports.
        model: decides what can be recommended.
        neighbours: see `mix`, as for the rest.
        weight: see there.
        floor: see there.
    """

    def __init__(
        self,
        name: str,
        model: ItemScorer,
        neighbours: ItemScorer,
        weight: float = WEIGHT,
        floor: float = FLOOR,
    ) -> None:
        self.name = name
        self.candidates = model.candidates
        self.model = model
        self.neighbours = neighbours
        self.weight = weight
        self.floor = floor

    def score(self, prefixes: Prefixes) -> np.ndarray:
        """Return the mixed scores, float32 [P, R]."""
        scores, near = self.model.score(prefixes), self.neighbours.score(prefixes)
        return mix(scores, near, self.weight, self.floor)
