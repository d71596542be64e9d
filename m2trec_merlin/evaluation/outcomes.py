"""The outcome of a ranking: a few numbers per prefix, from which every metric and slice is computed."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from m2trec_merlin.sessions import Prefixes

#: Rank of an item that is no candidate, beyond every K.
UNRANKED: int = int(np.iinfo(np.int64).max)

#: Rank of an unknown category; the prefix is then left out of category metrics.
UNMEASURED = 0


@dataclass(frozen=True)
class ItemRanks:
    """The ranks of the items that followed each prefix.

    Attributes:
        target: rank of the immediate next item, int64 [P]; 1 is best, UNRANKED if it was no candidate.
        found: number of distinct remaining items among the top K, for each K, int32 [P, len(ks)].
        remaining: number of distinct items that remain in the session after the prefix, at least 1, int32
            [P]; each event of an item that the catalogue lacks counts as one.
    """

    target: np.ndarray
    found: np.ndarray
    remaining: np.ndarray


@dataclass(frozen=True)
class Outcome:
    """One scorer's result on a set of prefixes.

    Attributes:
        model: name of the scorer.
        candidates: description of the items it ranked; empty for a scorer of categories only.
        prefixes: the prefixes that were scored.
        ks: cut-offs for which `ItemRanks.found` was counted.
        items: ranks of items; None for a scorer of categories only.
        categories: rank of the next item's category, int64 [P] by attribute; UNRANKED if it was no
            candidate, UNMEASURED if the next item has none.
        seconds: time of scoring and ranking.
    """

    model: str
    candidates: str
    prefixes: Prefixes
    ks: tuple[int, ...]
    items: ItemRanks | None
    categories: dict[str, np.ndarray] = field(default_factory=dict)
    seconds: float = 0.0
