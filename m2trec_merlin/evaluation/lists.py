"""A scorer for ranked lists of another library, to apply our metrics to them."""

from __future__ import annotations

import numpy as np

from m2trec_merlin.encoded import NO_ITEM
from m2trec_merlin.sessions import Prefixes


class RankedLists:
    """An `ItemScorer` that only knows a list of the best items for each prefix.

    Args:
        name: name in reports.
        prefixes: the prefixes for which lists exist.
        rows: catalogue rows of each list, distinct, best first, int64 [P, length]; NO_ITEM fills up short
            lists.
        n_rows: R, the number of catalogue rows.
    """

    def __init__(self, name: str, prefixes: Prefixes, rows: np.ndarray, n_rows: int) -> None:
        if len(rows) != len(prefixes):
            raise ValueError(f"{name}: {len(rows)} lists for {len(prefixes)} prefixes")
        self.name = name
        self.candidates = f"training items, top {rows.shape[1]} lists"
        self.n_rows = n_rows
        self._rows = rows
        self._keys = _keys(prefixes)
        self._order = np.argsort(self._keys)

    def score(self, prefixes: Prefixes) -> np.ndarray:
        """Return 1 / place in the list, -inf for items that are not in it, float32 [P, R].

        Raises:
            ValueError: a prefix has no list.
        """
        keys = _keys(prefixes)
        found = np.searchsorted(self._keys, keys, sorter=self._order)
        lines = self._order[np.minimum(found, len(self._order) - 1)]
        if (self._keys[lines] != keys).any():
            raise ValueError(f"{self.name}: there are prefixes without a list")
        scores = np.full((len(prefixes), self.n_rows), -np.inf, np.float32)
        places = 1 / np.arange(1, self._rows.shape[1] + 1, dtype=np.float32)
        np.put_along_axis(scores, self._rows[lines], places[None, :], axis=1)
        scores[:, NO_ITEM] = -np.inf
        return scores


def _keys(prefixes: Prefixes) -> np.ndarray:
    """Return a number for each prefix that is unique among the prefixes of the same sessions."""
    return np.asarray(prefixes.sessions.offsets[prefixes.session] + prefixes.length)
