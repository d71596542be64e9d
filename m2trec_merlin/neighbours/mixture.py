"""A model and its neighbours together: views of the next item, mixed in log-probabilities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import log_softmax

from m2trec_merlin.scores import ItemScorer
from m2trec_merlin.sessions import Prefixes

#: What stands for "no neighbour", and occurrences at which an item counts as half rare; chosen on validation
#: (docs/quality.md).
FLOOR, HALF_RARE = 0.05, 5.0


@dataclass(frozen=True)
class Weights:
    """What the views count; chosen on validation (docs/quality.md), or by `m2trec tune`.

    Attributes:
        neighbours: of the logarithm of the neighbours' score against the model's.
        content: likewise, of the likeness of words.
        rare: added to the score of an item without a history, half of it to one of five occurrences.
    """

    neighbours: float = 2.0
    content: float = 0.0
    rare: float = 0.0


def mix(
    scores: np.ndarray,
    near: np.ndarray,
    alike: np.ndarray | None,
    occurrences: np.ndarray,
    weights: Weights,
) -> np.ndarray:
    """Return log softmax(scores) + sum of weight * log(max(view, 0) + 0.05) + rare * 5 / (5 + n), [P, R].

    A neighbourhood remembers single training sessions, which a model smooths over; likeness of words reaches
    items that no session held; a model ranks the rest. A view lifts an item by three times its weight.

    Args:
        scores: of a model, float32 [P, R], log-odds; what it cannot recommend (-inf) stays so.
        near: of neighbours, likewise: about 0 to 1, the highest of each prefix near 1, as `SessionKnn` gives.
        alike: likeness of words, about 0 to 1, float32 [P, R]; None for none.
        occurrences: int64 [R], in training.
        weights: of the views.
    """
    mixed: np.ndarray = log_softmax(scores, axis=1)
    for weight, view in ((weights.neighbours, near), (weights.content, alike)):
        if view is not None and weight:
            mixed += np.float32(weight) * log_view(view)
    mixed += np.float32(weights.rare) * rarity(occurrences)
    return mixed


def log_view(view: np.ndarray) -> np.ndarray:
    """Return log(max(view, 0) + 0.05), float32 [P, R]: 3 more for an item of score 1 than for one of 0."""
    logarithm: np.ndarray = np.log(np.maximum(view, 0) + np.float32(FLOOR))
    return logarithm


def rarity(occurrences: np.ndarray) -> np.ndarray:
    """Return 5 / (5 + occurrences), float32 [R]: 1 of an item without a history, half of one of five."""
    return (HALF_RARE / (HALF_RARE + occurrences)).astype(np.float32)


class Mixture:
    """A model mixed with neighbours.

    Args:
        name: in reports.
        model: decides what can be recommended.
        neighbours: by sessions.
        content: likeness of words; None for none.
        occurrences: int64 [R], in training.
        weights: see `mix`.
    """

    def __init__(
        self,
        name: str,
        model: ItemScorer,
        neighbours: ItemScorer,
        content: ItemScorer | None,
        occurrences: np.ndarray,
        weights: Weights,
    ) -> None:
        self.name = name
        self.candidates = model.candidates
        self.model = model
        self.neighbours = neighbours
        self.content = content
        self.occurrences = occurrences
        self.weights = weights

    def score(self, prefixes: Prefixes) -> np.ndarray:
        """Return the mixed scores, float32 [P, R]."""
        return mix(*self.views(prefixes), self.occurrences, self.weights)

    def views(self, prefixes: Prefixes) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Return the scores of model, neighbours and content, float32 [P, R] each."""
        alike = None if self.content is None else self.content.score(prefixes)
        return self.model.score(prefixes), self.neighbours.score(prefixes), alike
