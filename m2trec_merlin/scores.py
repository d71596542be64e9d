"""What evaluation asks of a scorer, and nothing about how scores are made.

Shape legend: P prefixes of a block, R catalogue rows, V ids of a category vocabulary.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

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
