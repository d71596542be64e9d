"""A model and its neighbours together: views of the next item, mixed in log-probabilities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import log_softmax

from m2trec_merlin.scores import ItemScorer
from m2trec_merlin.sessions import Prefixes

#: What stands for "no neighbour", and occurrences at which an item counts as half rare; chosen on validation
#: (docs/quality.md).
FLOOR, HALF_RARE = 0.05, 5.0

#: Scores that are mixed at a time: what is made of them on the way stays near the processor.
_CACHED = 1 << 20

#: The views beside the model, each a scorer from about 0 to 1.
View = Literal["by_id", "by_metadata", "content"]


@dataclass(frozen=True)
class Weights:
    """What the views count against the model; a view lifts an item by up to three times its weight.

    Attributes:
        by_id: of training sessions that hold the same items.
        by_metadata: of training sessions, where items of equal metadata are the same.
        content: of the likeness of words.
        rare_content: likewise for an item without a history, half of it for one of five occurrences.
        rare: added to the score of an item without a history, half of it to one of five occurrences.
    """

    by_id: float = 0.0
    by_metadata: float = 0.0
    content: float = 0.0
    rare_content: float = 0.0
    rare: float = 0.0

    def views(self) -> tuple[View, ...]:
        """Return the views that count at all."""
        counts: dict[View, float] = {
            "by_id": self.by_id,
            "by_metadata": self.by_metadata,
            "content": max(self.content, self.rare_content),
        }
        return tuple(view for view, weight in counts.items() if weight)


def mix(
    scores: np.ndarray, views: Mapping[View, np.ndarray], occurrences: np.ndarray, weights: Weights
) -> np.ndarray:
    """Return the mixed scores, float32 [P, R].

    With lift(view) = log(1 + max(view, 0) / 0.05), rarity = 5 / (5 + occurrences):

        log softmax(scores) + by_id lift(by id) + by_metadata lift(by metadata)
        + (content + rare_content rarity) lift(likeness of words) + rare rarity

    Neighbours remember single training sessions, which a model smooths over. Of an item that hardly ever
    sold neither knows much, its words do: the rarer it is, the more they count.

    Args:
        scores: of a model, float32 [P, R], log-odds; what it cannot recommend (-inf) stays so.
        views: float32 [P, R] each, about 0 to 1; one that is missing counts nothing.
        occurrences: int64 [R], in training.
        weights: of the views.
    """
    mixed: np.ndarray = log_softmax(scores, axis=1)
    rare = rarity(occurrences)
    # One array for all views: of a large catalogue, making one takes longer than filling it.
    lifted = np.empty_like(mixed)
    for name, view in views.items():
        weight = (
            weights.content + weights.rare_content * rare if name == "content" else getattr(weights, name)
        )
        lift(view, lifted)
        lifted *= np.asarray(weight, np.float32)
        mixed += lifted
    mixed += np.float32(weights.rare) * rare
    return mixed


def lift(view: np.ndarray, into: np.ndarray | None = None) -> np.ndarray:
    """Return log(1 + max(view, 0) / 0.05), float32 [P, R]: 0 for an item of score 0, about 3 for one of 1.

    Args:
        view: float32 [P, R].
        into: array that takes the result; default: a new one.
    """
    lifted: np.ndarray = np.maximum(view, 0, out=into)
    lifted *= np.float32(1 / FLOOR)
    return np.log1p(lifted, out=lifted)


def rarity(occurrences: np.ndarray) -> np.ndarray:
    """Return 5 / (5 + occurrences), float32 [R]: 1 of an item without a history, half of one of five."""
    return (HALF_RARE / (HALF_RARE + occurrences)).astype(np.float32)


class Mixture:
    """A model mixed with what is known beside it.

    Args:
        name: in reports.
        model: decides what can be recommended.
        views: scorers of about 0 to 1.
        occurrences: int64 [R], in training.
        weights: see `mix`.
    """

    def __init__(
        self,
        name: str,
        model: ItemScorer,
        views: Mapping[View, ItemScorer],
        occurrences: np.ndarray,
        weights: Weights,
    ) -> None:
        self.name = name
        self.candidates = model.candidates
        self.model = model
        self.views = views
        self.occurrences = occurrences
        self.weights = weights

    def score(self, prefixes: Prefixes) -> np.ndarray:
        """Return the mixed scores, float32 [P, R]."""
        views = {name: view.score(prefixes) for name, view in self.views.items()}
        scores = self.model.score(prefixes)
        step = max(1, _CACHED // scores.shape[1])
        for rows in (slice(start, start + step) for start in range(0, len(scores), step)):
            part = {name: view[rows] for name, view in views.items()}
            scores[rows] = mix(scores[rows], part, self.occurrences, self.weights)
        return scores
