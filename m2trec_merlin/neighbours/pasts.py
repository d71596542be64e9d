"""What the past of an item says of it, whatever a session holds.

Shape legend: R catalogue rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.encoded import NO_ITEM

#: Occurrences at which an item counts as half rare; chosen on validation (docs/quality.md).
HALF_RARE = 5.0

#: Recent events that an item is thought to have besides, and as many as it would have by its share of all.
PRIOR = 5.0


@dataclass(frozen=True)
class ItemPasts:
    """The past of all items.

    Attributes:
        occurrences: int64 [R], in training.
        trends: float32 [R], see `trends_of`; 0 where nothing is known of time.
        listed: bool [R], which items came after training, or so late that it could not see them sell. Row
            NO_ITEM, which stands for all outside of the catalogue, is one of them.
    """

    occurrences: np.ndarray
    trends: np.ndarray
    listed: np.ndarray

    @classmethod
    def of(cls, catalogue: Catalogue) -> ItemPasts:
        """Return those of a catalogue, as far as training tells."""
        trends = trends_of(catalogue.train_counts, catalogue.recent_counts)
        return cls.known(catalogue.train_counts, trends, catalogue.listed)

    @classmethod
    def known(
        cls, occurrences: np.ndarray, trends: np.ndarray | None = None, listed: np.ndarray | None = None
    ) -> ItemPasts:
        """Return pasts of which some things may not be known; see the class."""
        trends = np.zeros(len(occurrences), np.float32) if trends is None else trends
        listed = np.zeros(len(occurrences), bool) if listed is None else listed.copy()
        listed[NO_ITEM] = True
        return cls(occurrences, trends, listed)

    @cached_property
    def rarity(self) -> np.ndarray:
        """5 / (5 + occurrences), float32 [R]: 1 of an item without a history, half of one of five."""
        rarity: np.ndarray = (HALF_RARE / (HALF_RARE + self.occurrences)).astype(np.float32)
        return rarity

    def terms(self) -> dict[str, np.ndarray]:
        """Return what is added to scores at a weight of 1, float32 [R] by the names in `ITEM_WEIGHTS`."""
        return past_terms(self.rarity, self.trends, self.listed)


def past_terms(rarity: np.ndarray, trend: np.ndarray, listed: np.ndarray) -> dict[str, np.ndarray]:
    """Return the terms of any items; see `ItemPasts`.

    Args:
        rarity: float32 of any shape.
        trend: float32, likewise.
        listed: bool, likewise.
    """
    seldom_sold = np.where(listed, np.float32(0), rarity)
    return {"rare": seldom_sold, "new": seldom_sold**3, "listed": listed.astype(np.float32), "trend": trend}


def trends_of(occurrences: np.ndarray, recent: np.ndarray | None) -> np.ndarray | None:
    """Return log((recent occurrences + 5) / (those by an item's share of all + 5)), float32 [R].

    0 of an item without a history; None where nothing is known of time.

    Args:
        occurrences: int64 [R].
        recent: int64 [R], those of the last events; None where nothing is known of time.
    """
    if recent is None:
        return None
    share = recent.sum() / max(occurrences.sum(), 1)
    trends: np.ndarray = np.log((recent + PRIOR) / (share * occurrences + PRIOR))
    return trends.astype(np.float32)
