"""Items that are most like another one, by what the model makes of their attributes.

Shape legend: R catalogue rows, I item width.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from m2trec_merlin.encoded import NO_ITEM
from m2trec_merlin.serving.runtime.candidates import Found, Wish, find_best

_ROWS_AT_A_TIME = 65_536


@dataclass(frozen=True)
class SimilarItems:
    """The items most like another one, best first.

    Attributes:
        item_ids: at most as many as were asked for.
        titles: of the same items.
        scores: cosines of their vectors with that of the other item, at most 1.
        warnings: what was ignored, and why.
    """

    item_ids: list[str]
    titles: list[str]
    scores: list[float]
    warnings: list[str]


class Cosines:
    """Finds the rows whose vectors point most nearly in a direction.

    Args:
        vectors: float32 [R, I]; those of NO_ITEM are not looked at.
    """

    def __init__(self, vectors: np.ndarray) -> None:
        self._vectors_RI = vectors
        blocks = range(0, len(vectors), _ROWS_AT_A_TIME)
        # They are mapped: a block at a time comes into memory.
        norms = [np.linalg.norm(vectors[start : start + _ROWS_AT_A_TIME], axis=1) for start in blocks]
        self._norms_R = _not_zero(np.concatenate(norms))

    def search(self, vector: np.ndarray, wish: Wish) -> Found:
        """Return the best rows for a vector, float32 [I], of those that a wish allows; scores are cosines."""
        cosines: np.ndarray = (self._vectors_RI @ vector) / self._norms_R
        cosines /= _not_zero(np.linalg.norm(vector))
        cosines[NO_ITEM] = -np.inf
        return find_best(cosines, wish)


def _not_zero(norms: np.ndarray | np.floating) -> np.ndarray:
    return np.maximum(norms, np.finfo(np.float32).tiny)
