"""A model and its neighbours together: two views of the next item, mixed in log-probabilities."""

from __future__ import annotations

import numpy as np
from scipy.special import log_softmax

from m2trec_merlin.evaluation.recommender import Recommender
from m2trec_merlin.sessions import Prefixes


class Blend:
    """score(j) = log softmax(model)(j) + weight * log(max(neighbours(j), 0) + floor)

    A neighbourhood remembers single training sessions, which a model smooths over; a model ranks the items
    that no neighbour holds. The floor stands for "no neighbour": an item is lifted by at most
    weight * log((1 + floor) / floor). Both were chosen on validation (docs/quality.md).

    Args:
        name: in reports.
        model: gives log-odds; what it cannot recommend (-inf), the blend cannot either.
        neighbours: gives scores of about 0 to 1, the highest of each prefix near 1, as `SessionKnn` does.
        weight: of the neighbours' logarithm against the model's.
        floor: above 0.
    """

    def __init__(
        self, name: str, model: Recommender, neighbours: Recommender, weight: float = 2.0, floor: float = 0.05
    ) -> None:
        self.name = name
        self.candidates = model.candidates
        self.model = model
        self.neighbours = neighbours
        self.weight = np.float32(weight)
        self.floor = np.float32(floor)

    def score(self, prefixes: Prefixes) -> np.ndarray:
        """Return the mixed scores, float32 [P, N + 1]."""
        scores: np.ndarray = log_softmax(self.model.score(prefixes), axis=1)
        near = np.maximum(self.neighbours.score(prefixes), 0)
        scores += self.weight * np.log(near + self.floor)
        return scores
