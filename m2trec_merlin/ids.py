"""Ids of any type looked up in a fixed list, all of a column at once.

Two ids are equal if their texts are: 7, "7" and the category 7 are one. Integers are compared as such where
both sides are, which comes to the same and is faster.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from m2trec_merlin.columns import to_arrow

#: A table with an entry for every integer between the least and the greatest id takes at most so many entries
#: an id (of 4 bytes): above, a hash table is used.
_SPREAD = 16


class IdIndex:
    """Finds the position of ids in a list of distinct ids.

    Integers that lie close together are looked up in a plain array, about ten times as fast as by hash; of
    pandas categories only the categories are looked up. Indexes are made on first use in each process and do
    not travel with the ids.

    Args:
        ids: distinct integers or strings.
    """

    def __init__(self, ids: pd.Series) -> None:
        self.ids = ids.reset_index(drop=True)

    def __len__(self) -> int:
        return len(self.ids)

    def __getstate__(self) -> dict[str, Any]:
        return {"ids": self.ids}

    def find(self, ids: pd.Series) -> np.ndarray:
        """Return the position of each id, int64; -1 where it is missing or the list does not hold it."""
        if isinstance(ids.dtype, pd.CategoricalDtype):
            # Missing values have the code -1 and meet the last entry.
            positions = np.append(self.find(ids.cat.categories.to_series()), -1)
            return positions[ids.cat.codes.to_numpy()]
        if not (_fits_int64(ids) and _fits_int64(self.ids)):
            texts = ids.astype(object).map(str, na_action="ignore")
            return np.where(texts.isna(), -1, self._texts.get_indexer(pd.Index(texts)))
        values = ids.to_numpy(dtype=np.int64)
        if self._table is None:
            return self._numbers.get_indexer(pd.Index(values)).astype(np.int64)
        least, table = self._table
        if len(values) and (values.min() < least or values.max() >= least + len(table)):
            inside = (values >= least) & (values < least + len(table))
            return np.where(inside, table[np.where(inside, values, least) - least], -1)
        return table[values - least]

    @cached_property
    def _texts(self) -> pd.Index:
        return pd.Index(self.ids.astype(object).map(str))

    @cached_property
    def _numbers(self) -> pd.Index:
        return pd.Index(self.ids.to_numpy(dtype=np.int64))

    @cached_property
    def _table(self) -> tuple[int, np.ndarray] | None:
        """The least id, and by the distance from it the position of each."""
        values = self.ids.to_numpy(dtype=np.int64)
        if not len(values):
            return None
        least, greatest = int(values.min()), int(values.max())
        if greatest - least >= _SPREAD * len(values):
            return None
        table = np.full(greatest - least + 1, -1, dtype=np.int32)
        table[values - least] = np.arange(len(values), dtype=np.int32)
        return least, table


def numbered(ids: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Number distinct ids 0, 1, ... in the order in which they are first met; missing ones count as one.

    Pandas numbers texts by what stands before a NUL alone, so that ids with one in them would be mixed up.

    Returns:
        int64 [n], the number of each id; int64 [distinct], where each number is first met.
    """
    if pd.api.types.infer_dtype(ids, skipna=True) == "string":
        texts = to_arrow(ids).dictionary_encode(null_encoding="encode")
        found = texts.indices.to_numpy().astype(np.int64)
    else:
        found = pd.factorize(ids, use_na_sentinel=False)[0].astype(np.int64)
    first = np.empty(found.max(initial=-1) + 1, np.int64)
    # Of several places that are written to, the last one stays.
    first[found[::-1]] = np.arange(len(found))[::-1]
    return found, first


def id_hashes(ids: pd.Series) -> np.ndarray:
    """Return a hash of the text of each id, uint64 [n]; none is missing."""
    if isinstance(ids.dtype, pd.CategoricalDtype):
        return id_hashes(ids.cat.categories.to_series())[ids.cat.codes.to_numpy()]
    found: np.ndarray = pd.util.hash_array(ids.astype(str).to_numpy(object), categorize=False)
    return found


def _fits_int64(ids: pd.Series) -> bool:
    """Whether these are integers without a gap that int64 holds."""
    if isinstance(ids.dtype, np.dtype):
        return ids.dtype.kind in "iu" and np.can_cast(ids.dtype, np.int64)
    return ids.dtype == "Int64" and not ids.hasnans
