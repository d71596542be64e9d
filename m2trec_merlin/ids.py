"""Look-up of a column of ids, of any type, in a fixed list of ids.

Two ids are equal if their texts are: 7, "7" and the category 7 are the same. If both sides are integers, they
are compared as integers, which has the same result and is faster.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from m2trec_merlin.columns import to_arrow

#: Maximum entries (of 4 bytes) per id of a table with an entry for every integer between the least and the
#: greatest id; if it would need more, a hash table is used.
_SPREAD = 16


class IdIndex:
    """Finds the positions of ids in a list of distinct ids.

    Integers that lie close together are looked up in a plain array, about ten times as fast as by hash; for a
    categorical column only the categories are looked up. Each process builds its indexes on first use; they
    are not pickled with the ids.

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
        """Return the position of each id, int64; -1 for missing ids and for ids not in the list."""
        if isinstance(ids.dtype, pd.CategoricalDtype):
            # Missing values have the code -1, which indexes the last entry.
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
        """The least id, and a table of positions by distance from it; None if it would be too large."""
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
    """Number distinct ids 0, 1, ... in the order of their first occurrence; missing ids share a number.

    Not with pandas for texts: it reads a text up to a NUL only and would mix up ids that contain one.

    Returns:
        The number of each id, int64 [n], and the first position of each number, int64 [distinct].
    """
    if pd.api.types.infer_dtype(ids, skipna=True) == "string":
        texts = to_arrow(ids).dictionary_encode(null_encoding="encode")
        found = texts.indices.to_numpy().astype(np.int64)
    else:
        found = pd.factorize(ids, use_na_sentinel=False)[0].astype(np.int64)
    first = np.empty(found.max(initial=-1) + 1, np.int64)
    # Reversed, since NumPy keeps the last of several values written to the same index.
    first[found[::-1]] = np.arange(len(found))[::-1]
    return found, first


def id_hashes(ids: pd.Series) -> np.ndarray:
    """Return a hash of the text of each id, uint64 [n]; no id may be missing."""
    if isinstance(ids.dtype, pd.CategoricalDtype):
        return id_hashes(ids.cat.categories.to_series())[ids.cat.codes.to_numpy()]
    found: np.ndarray = pd.util.hash_array(ids.astype(str).to_numpy(object), categorize=False)
    return found


def _fits_int64(ids: pd.Series) -> bool:
    """Tell whether ids are integers within int64, none of them missing."""
    if isinstance(ids.dtype, np.dtype):
        return ids.dtype.kind in "iu" and np.can_cast(ids.dtype, np.int64)
    return ids.dtype == "Int64" and not ids.hasnans
