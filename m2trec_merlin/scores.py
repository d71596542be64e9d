"""The interface of scorers, which evaluation relies on, and the search for the best scores.

Scores belong to items: if the catalogue is reordered, the scores are reordered with it, ties included.
Building a scorer twice from the same data gives the same scores.

Shape legend: P prefixes of a block, R catalogue rows, V ids of a category vocabulary.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np

from m2trec_merlin.sessions import Prefixes


@runtime_checkable
class ItemScorer(Protocol):
    """Scores items as the next item of a session.

    Attributes:
        name: name in reports; unique within a comparison.
        candidates: a phrase for reports on which items it can recommend ("all catalogue items").
    """

    name: str
    candidates: str

    def score(self, prefixes: Prefixes) -> np.ndarray:
        """Score every catalogue row after each prefix.

        Args:
            prefixes: a block of prefixes; those of one session are adjacent, shorter ones first, so that
                work on their common items can be shared. Rows may be NO_ITEM (not in the catalogue).

        Returns:
            float32 [P, R]. Higher is better; -inf marks rows that are no candidates, always including
            NO_ITEM. The scores of a prefix depend on that prefix only. The caller may write into the array,
            which needs to stay valid only until the next call.
        """
        ...


@runtime_checkable
class CategoryScorer(Protocol):
    """Scores categories of the next item; an `ItemScorer` may also be a `CategoryScorer`.

    Attributes:
        name: name in reports.
    """

    name: str

    def category_scores(self, prefixes: Prefixes) -> dict[str, np.ndarray]:
        """Score every category after each prefix.

        Returns:
            For each predicted categorical attribute, float32 [P, V]; -inf marks ids that are no candidates.
            Reserved ids (padding, missing, out of vocabulary) never are, whatever their scores.
        """
        ...


class Lift(NamedTuple):
    """Changes of a model's scores by a session, in addition to changes that are always the same.

    Attributes:
        novelty: the session's factor for the newness of each item.
        rows: catalogue rows whose scores change, each once, unordered, int64 [n].
        changes: numbers to add to the scores of `rows`, float32 [n].
    """

    novelty: np.float32
    rows: np.ndarray
    changes: np.ndarray


#: The lift of a session without neighbours.
NO_LIFT = Lift(np.float32(0), np.zeros(0, np.int64), np.zeros(0, np.float32))

_BLOCK = 64
#: Up to this number of scores, sorting all is as fast as searching the best first.
_FEW = 1024


def best_rows(scores: np.ndarray, top_k: int) -> np.ndarray:
    """Return the rows with the highest scores, best first, and lower rows first among ties.

    Args:
        scores: scores of all rows, float32 [N + 1]; -inf for rows that must not be recommended.
        top_k: rows wanted; fewer are returned if fewer have a finite score.

    Returns:
        int64 [at most top_k].
    """
    rows = reaching(scores, top_k)
    return rows[np.argsort(-scores[rows], kind="stable")][:top_k]


def reaching(scores: np.ndarray, top_k: int) -> np.ndarray:
    """Return rows, ascending, that include the `top_k` best and few others, to be sorted by the caller.

    At least `top_k` rows reach the `top_k`-th largest of the maxima of blocks, which, with enough blocks, is
    found much faster than the `top_k`-th largest score. Each of n blocks holds every n-th row, so that maxima
    are found side by side.
    """
    if _FEW < len(scores) >= top_k:
        n_blocks = len(scores) // _BLOCK
        in_blocks = scores[: n_blocks * _BLOCK].reshape(_BLOCK, n_blocks)
        maxima = in_blocks.max(axis=0) if top_k <= n_blocks else scores
        floor = np.partition(maxima, -top_k)[-top_k]
        if floor > -np.inf:
            return np.flatnonzero(scores >= floor)
    return np.flatnonzero(scores > -np.inf)
