"""Items similar to another one, by the item vectors that the model computes from attributes.

Shape legend: R catalogue rows, I item width.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from m2trec_merlin.search.products import products

_ROWS_AT_A_TIME = 65_536


@dataclass(frozen=True)
class SimilarItems:
    """The items most similar to another one, best first.

    Attributes:
        item_ids: ids of the items; at most as many as were asked for.
        titles: titles of the items.
        scores: cosines of the items' vectors with that of the other item, at most 1.
        warnings: messages on parts of the request that were ignored, and why.
    """

    item_ids: list[str]
    titles: list[str]
    scores: list[float]
    warnings: list[str]


class Directions:
    """Item vectors, to be compared by their directions.

    Args:
        vectors: item vectors, float32 [R, I].
    """

    def __init__(self, vectors: np.ndarray) -> None:
        self._vectors_RI = vectors

    @cached_property
    def _norms_R(self) -> np.ndarray:
        blocks = range(0, len(self._vectors_RI), _ROWS_AT_A_TIME)
        # The vectors are memory-mapped: this way only a block at a time is in memory.
        parts = [self._vectors_RI[start : start + _ROWS_AT_A_TIME] for start in blocks]
        norms = [np.linalg.norm(part, axis=1) for part in parts]
        return _not_zero(np.concatenate([np.zeros(0, np.float32), *norms]))

    def cosines(self, vector: np.ndarray) -> np.ndarray:
        """Return the cosine of each item vector with a vector [I], float32 [R]; 0 if either has no length."""
        cosines = products(self._vectors_RI, vector) / self._norms_R
        return cosines / _not_zero(np.linalg.norm(vector))


def _not_zero(norms: np.ndarray | np.floating) -> np.ndarray:
    return np.maximum(norms, np.finfo(np.float32).tiny)
