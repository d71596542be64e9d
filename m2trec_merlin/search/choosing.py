"""Choice of diverse rows among the best ones."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from m2trec_merlin.search.candidates import Found

#: Number of best rows to choose from, and therefore the most that can be chosen.
POOL = 1000


@dataclass(frozen=True)
class DiverseChoice:
    """Chooses rows that differ in the values of a column, among the best.

    Attributes:
        by: name of the column.
        most: maximum number of chosen rows that share a value; None for any number.
        weight: weight of the penalty on a row's score, its greatest Jaccard similarity (shared values as a
            share of all values of two rows) to a row chosen before.
    """

    by: str
    most: int | None
    weight: float

    def choose(self, found: Found, values: Sequence[tuple[Hashable, ...]], k: int) -> Found:
        """Return at most `k` of the rows found, in the order in which they are chosen.

        Args:
            found: the best rows.
            values: values of the column, for each row found; rows without a value resemble no other.
            k: number of rows wanted.
        """
        sharing: dict[Hashable, list[int]] = defaultdict(list)
        for place, each in enumerate(values):
            for value in set(each):
                sharing[value].append(place)
        sizes = np.array([len(set(each)) for each in values], np.int64)
        left = found.scores.astype(np.float64)
        closest, taken = np.zeros(len(left)), Counter[Hashable]()
        chosen: list[int] = []
        while len(chosen) < k and len(left):
            place = int(np.argmax(left - self.weight * closest))
            if left[place] == -np.inf:
                break
            chosen.append(place)
            own = set(values[place])
            taken.update(own)
            common = np.zeros(len(left))
            for value in own:
                common[sharing[value]] += 1
                if self.most is not None and taken[value] >= self.most:
                    left[sharing[value]] = -np.inf
            left[place] = -np.inf
            closest = np.maximum(closest, common / np.maximum(sizes + len(own) - common, 1))
        places = np.array(chosen, np.int64)
        return Found(found.rows[places], found.scores[places])
