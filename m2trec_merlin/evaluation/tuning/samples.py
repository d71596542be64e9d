"""The sample of prefixes to choose a mixture on, with enough targets that are rare or new items.

Shape legend: P prefixes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.sessions import Prefixes

#: Maximum number of scores computed per view, and the number of prefixes that are scored in any case.
_MOST_SCORES, _FEWEST = 3e8, 1000


@dataclass(frozen=True)
class Parts:
    """The parts of a sample that each measure is computed on.

    Attributes:
        anywhere: prefixes drawn from all, bool [P].
        rare: prefixes whose target has few training occurrences, bool [P].
        new: prefixes whose target has none, bool [P], in `draw` although it was listed in time.
    """

    anywhere: np.ndarray
    rare: np.ndarray
    new: np.ndarray

    @classmethod
    def join(cls, parts: Sequence[Parts]) -> Parts:
        """Concatenate the parts of several samples."""
        each = ((part.anywhere, part.rare, part.new) for part in parts)
        return cls(*(np.concatenate(arrays) for arrays in zip(*each, strict=True)))

    def sizes(self) -> dict[str, int]:
        """Return the number of prefixes of each part."""
        parts = {"all": self.anywhere, "rare": self.rare, "new": self.new}
        return {name: int(part.sum()) for name, part in parts.items()}


def draw(
    valid: Prefixes, catalogue: Catalogue, size: int, rare_below: int, seed: int
) -> tuple[Prefixes, Parts]:
    """Draw prefixes: from all, and a third as many each with rare and with new targets.

    Args:
        valid: prefixes to draw from.
        catalogue: catalogue with the training occurrences of items.
        size: number to draw from all; reduced for large catalogues, as every item is scored.
        rare_below: number of training occurrences below which an item is rare.
        seed: seed of the draw.
    """
    counts = catalogue.train_counts[valid.targets]
    rare = (counts > 0) & (counts < rare_below)
    # Items listed too late to sell have a weight of their own, which is chosen on other prefixes.
    new = (counts == 0) & ~catalogue.newly_listed[valid.targets]
    return draw_of(valid, rare, new, affordable(size, catalogue), np.random.default_rng(seed))


def affordable(size: int, catalogue: Catalogue) -> int:
    """Return the number of prefixes to score: `size`, or fewer for large catalogues."""
    return min(size, max(_FEWEST, int(_MOST_SCORES / catalogue.n_rows)))


def draw_of(
    prefixes: Prefixes, rare: np.ndarray, new: np.ndarray, size: int, rng: np.random.Generator
) -> tuple[Prefixes, Parts]:
    """Draw `size` prefixes from all, and a third as many each with rare and with new targets.

    Args:
        prefixes: the P prefixes to draw from.
        rare: which of them have rare targets, bool [P].
        new: which of them have new targets, bool [P].
        size: number to draw from all.
        rng: random numbers for the draw.
    """
    anywhere = _some(np.arange(len(prefixes)), size, rng)
    more = [_some(np.flatnonzero(part), size // 3, rng) for part in (rare, new)]
    drawn = np.unique(np.concatenate([anywhere, *more]))
    return prefixes.take(drawn), Parts(np.isin(drawn, anywhere), rare[drawn], new[drawn])


def _some(values: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    return values if len(values) <= size else rng.choice(values, size, replace=False)
