"""What is kept of a ranking: a few numbers a prefix, from which every metric and slice is computed."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from m2trec_merlin.sessions import Prefixes

#: Rank of an item that is no candidate: beyond every K.
UNRANKED: int = int(np.iinfo(np.int64).max)

#: Rank of a category that is not known, so that the prefix says nothing about predicting it.
UNMEASURED = 0


@dataclass(frozen=True)
class ItemRanks:
    """Where the items that followed each prefix were ranked.

    Attributes:
        target: int64 [P], rank of the immediate next item, 1 is best; UNRANKED if it was no candidate.
        found: int32 [P, len(ks)], distinct remaining items among the top K, for each K of the outcome.
        remaining: int32 [P], distinct items that remain in the session after the prefix, at least 1; each
            event of an item that the catalogue lacks counts as one.
    """

    target: np.ndarray
    found: np.ndarray
    remaining: np.ndarray


@dataclass(frozen=True)
class Outcome:
    """One scorer's result on a set of prefixes.

    Attributes:
        model: name of the scorer.
        candidates: which items it ranked, in words; empty for a scorer of categories only.
        prefixes: what was scored.
        ks: cut-offs for which `ItemRanks.found` was counted.
        items: ranks of items; None for a scorer of categories only.
        categories: int64 [P] by attribute, rank of the next item's category; UNRANKED if it was no
            candidate, UNMEASURED if the next item has none.
        seconds: time spent on scoring and ranking.
    """

    model: str
    candidates: str
    prefixes: Prefixes
    ks: tuple[int, ...]
    items: ItemRanks | None
    categories: dict[str, np.ndarray] = field(default_factory=dict)
    seconds: float = 0.0
