"""Prefixes to choose on: a seeded draw, with enough of them that lead to rare and to new items.

Shape legend: P prefixes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.sessions import Prefixes

#: Scores that a view is asked for at most, and the prefixes that are scored in any case.
_MOST_SCORES, _FEWEST = 3e8, 1000


@dataclass(frozen=True)
class Parts:
    """What each of some prefixes counts for.

    Attributes:
        anywhere: bool [P], drawn from all prefixes.
        rare: bool [P], the next item has few training occurrences.
        new: bool [P], it has none, though it was listed in time.
    """

    anywhere: np.ndarray
    rare: np.ndarray
    new: np.ndarray

    @classmethod
    def join(cls, parts: Sequence[Parts]) -> Parts:
        """Put those of several groups of prefixes behind each other."""
        each = ((part.anywhere, part.rare, part.new) for part in parts)
        return cls(*(np.concatenate(arrays) for arrays in zip(*each, strict=True)))

    def sizes(self) -> dict[str, int]:
        """Return the number of prefixes of each part."""
        parts = {"all": self.anywhere, "rare": self.rare, "new": self.new}
        return {name: int(part.sum()) for name, part in parts.items()}


def draw(
    valid: Prefixes, catalogue: Catalogue, size: int, rare_below: int, seed: int
) -> tuple[Prefixes, Parts]:
    """Draw prefixes: from all, and a third as many each of those that lead to rare and to new items.

    Args:
        valid: to draw from.
        catalogue: with the training occurrences of items.
        size: wanted of all; fewer of large catalogues, as every item is scored.
        rare_below: a rare item has fewer training occurrences.
        seed: of the draw.
    """
    counts = catalogue.train_counts[valid.targets]
    rare = (counts > 0) & (counts < rare_below)
    # What was listed too late to sell has a weight of its own, which is chosen on other prefixes.
    new = (counts == 0) & ~catalogue.newly_listed[valid.targets]
    return draw_of(valid, rare, new, affordable(size, catalogue), np.random.default_rng(seed))


def affordable(size: int, catalogue: Catalogue) -> int:
    """Return how many prefixes to score of those wanted: fewer of large catalogues."""
    return min(size, max(_FEWEST, int(_MOST_SCORES / catalogue.n_rows)))


def draw_of(
    prefixes: Prefixes, rare: np.ndarray, new: np.ndarray, size: int, rng: np.random.Generator
) -> tuple[Prefixes, Parts]:
    """Draw `size` prefixes from all, and a third as many each that lead to rare and to new items.

    Args:
        prefixes: P of them.
        rare: bool [P], those that lead to rare items.
        new: bool [P], those that lead to new ones.
        size: wanted of all.
        rng: of the draw.
    """
    anywhere = _some(np.arange(len(prefixes)), size, rng)
    more = [_some(np.flatnonzero(part), size // 3, rng) for part in (rare, new)]
    drawn = np.unique(np.concatenate([anywhere, *more]))
    return prefixes.take(drawn), Parts(np.isin(drawn, anywhere), rare[drawn], new[drawn])


def _some(values: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    return values if len(values) <= size else rng.choice(values, size, replace=False)
