"""What evaluation asks of a scorer, and nothing about how scores are made.

Scores belong to items: with the catalogue in another order they come in that order, ties included. Building a
scorer twice from the same data gives the same scores.

Shape legend: P prefixes of a block, R catalogue rows, V ids of a category vocabulary.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np

from m2trec_merlin.sessions import Prefixes


@runtime_checkable
class ItemScorer(Protocol):
    """Scores items as the next one of a session.

    Attributes:
        name: as the report calls it; unique within a comparison.
        candidates: which items it can recommend, for the report ("all catalogue items").
    """

    name: str
    candidates: str

    def score(self, prefixes: Prefixes) -> np.ndarray:
        """Score every catalogue row after each prefix.

        Args:
            prefixes: a block; prefixes of one session stand side by side, shorter ones first, so that
                work on their common items can be shared. Rows may be NO_ITEM (not in the catalogue).

        Returns:
            float32 [P, R]. Higher is better; -inf marks what is no candidate, column NO_ITEM always.
            The scores of a prefix depend on that prefix only. The caller may write into the array,
            and it need stay valid until the next call only.
        """
        ...


@runtime_checkable
class CategoryScorer(Protocol):
    """Scores categories of the next item; a scorer of items may be one as well.

    Attributes:
        name: as the report calls it.
    """

    name: str

    def category_scores(self, prefixes: Prefixes) -> dict[str, np.ndarray]:
        """Score every category after each prefix.

        Returns:
            For each categorical attribute that is predicted, float32 [P, V]; -inf marks no candidate.
            Reserved ids (padding, missing, out of vocabulary) are never candidates, whatever their score.
        """
        ...


class Lift(NamedTuple):
    """What a session adds to the scores of a model, beside what is added after every one.

    Attributes:
        novelty: of the session, by which the newness of each item counts.
        rows: int64 [n], each of them once, in no order.
        changes: float32 [n], added to the scores of these.
    """

    novelty: np.float32
    rows: np.ndarray
    changes: np.ndarray


#: That of a session without neighbours.
NO_LIFT = Lift(np.float32(0), np.zeros(0, np.int64), np.zeros(0, np.float32))

_BLOCK = 64
#: So many scores are sorted as soon as their best are searched.
_FEW = 1024


def best_rows(scores: np.ndarray, top_k: int) -> np.ndarray:
    """Return the rows with the highest scores, best first; among equals the lower row.

    Args:
        scores: float32 [N + 1]; -inf for rows that must not be recommended.
        top_k: rows wanted; fewer are returned where fewer have a finite score.

    Returns:
        int64 [at most top_k].
    """
    rows = reaching(scores, top_k)
    return rows[np.argsort(-scores[rows], kind="stable")][:top_k]


def reaching(scores: np.ndarray, top_k: int) -> np.ndarray:
    """Return rows, rising, that hold the best and few more: the rest need not be sorted.

    At least `top_k` rows reach the `top_k`-th largest of the maxima of blocks, which is found much faster
    than that of all scores, if there are so many blocks. Of n blocks, each holds every n-th row: maxima are
    found side by side.
    """
    if _FEW < len(scores) >= top_k:
        n_blocks = len(scores) // _BLOCK
        in_blocks = scores[: n_blocks * _BLOCK].reshape(_BLOCK, n_blocks)
        maxima = in_blocks.max(axis=0) if top_k <= n_blocks else scores
        floor = np.partition(maxima, -top_k)[-top_k]
        if floor > -np.inf:
            return np.flatnonzero(scores >= floor)
    return np.flatnonzero(scores > -np.inf)
