"""Rank lists that another library wrote, scored by our metrics."""

from __future__ import annotations

import numpy as np

from m2trec_merlin.encoded import NO_ITEM
from m2trec_merlin.sessions import Prefixes


class RankedLists:
    """A scorer that only knows the best items of each prefix, best first.

    Args:
        name: for the report.
        prefixes: the prefixes for which lists exist.
        rows: int64 [P, length], catalogue rows, no item twice in a line; NO_ITEM fills short lines.
        n_rows: R of the catalogue.
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
        """Return 1 / place in the list, -inf for what is not in it, float32 [P, R].

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
    """Return a number for each prefix that no other prefix of these sessions has."""
    return np.asarray(prefixes.sessions.offsets[prefixes.session] + prefixes.length)
