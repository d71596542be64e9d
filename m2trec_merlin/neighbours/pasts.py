"""The past of items (occurrences, trend, listing), which counts independently of the session.

Shape legend: R catalogue rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.encoded import NO_ITEM

#: Number of occurrences at which an item's rarity is 1/2; chosen on validation (docs/quality.md).
HALF_RARE = 5.0

#: Number added to both the recent and the expected events of an item, so that few events make no trend.
PRIOR = 5.0


@dataclass(frozen=True)
class ItemPasts:
    """The past of all items.

    Attributes:
        occurrences: occurrences in training, int64 [R].
        trends: trend of each item, float32 [R], see `trends_of`; 0 if times are unknown.
        listed: which items were listed after training, or too late for training to see them sell, bool [R].
            Row NO_ITEM, which stands for all items outside of the catalogue, is one of them.
    """

    occurrences: np.ndarray
    trends: np.ndarray
    listed: np.ndarray

    @classmethod
    def of(cls, catalogue: Catalogue) -> ItemPasts:
        """Return the pasts of a catalogue's items, as training knows them."""
        trends = trends_of(catalogue.train_counts, catalogue.recent_counts)
        return cls.known(catalogue.train_counts, trends, catalogue.listed)

    @classmethod
    def known(
        cls, occurrences: np.ndarray, trends: np.ndarray | None = None, listed: np.ndarray | None = None
    ) -> ItemPasts:
        """Return pasts from arrays as in the class; None stands for unknown trends or dates of listing."""
        trends = np.zeros(len(occurrences), np.float32) if trends is None else trends
        listed = np.zeros(len(occurrences), bool) if listed is None else listed.copy()
        listed[NO_ITEM] = True
        return cls(occurrences, trends, listed)

    @cached_property
    def rarity(self) -> np.ndarray:
        """Rarity, 5 / (5 + occurrences), float32 [R]: 1 without a history, 1/2 at five occurrences."""
        rarity: np.ndarray = (HALF_RARE / (HALF_RARE + self.occurrences)).astype(np.float32)
        return rarity

    def terms(self) -> dict[str, np.ndarray]:
        """Return the terms added to scores at a weight of 1, float32 [R] by name in `ITEM_WEIGHTS`."""
        return past_terms(self.rarity, self.trends, self.listed)


def past_terms(rarity: np.ndarray, trend: np.ndarray, listed: np.ndarray) -> dict[str, np.ndarray]:
    """Return `ItemPasts.terms` for arrays of any shape.

    Args:
        rarity: rarity of the items, float32.
        trend: trend of the items, float32.
        listed: which items were listed after training, bool.
    """
    seldom_sold = np.where(listed, np.float32(0), rarity)
    return {"rare": seldom_sold, "new": seldom_sold**3, "listed": listed.astype(np.float32), "trend": trend}


def trends_of(occurrences: np.ndarray, recent: np.ndarray | None) -> np.ndarray | None:
    """Return each item's trend, log((recent + 5) / (expected + 5)), float32 [R]; None if times are unknown.

    Recent events are expected in proportion to all occurrences, so an item without a history has trend 0.

    Args:
        occurrences: occurrences of each item, int64 [R].
        recent: occurrences among the last events, int64 [R]; None if times are unknown.
    """
    if recent is None:
        return None
    share = recent.sum() / max(occurrences.sum(), 1)
    trends: np.ndarray = np.log((recent + PRIOR) / (share * occurrences + PRIOR))
    return trends.astype(np.float32)
