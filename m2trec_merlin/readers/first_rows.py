"""Derive the items table from the events, where no other table describes the items."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Protocol

import numpy as np
import pandas as pd

from m2trec_merlin.columns import as_text
from m2trec_merlin.readers.canonical import normalise_ids
from m2trec_merlin.readers.rounded import IDS, Rounding

#: Rows collected, at least, before the less complete ones are dropped.
_TOGETHER = 100_000
#: The most rows of an item that are compared. A row about damaged stock may come first, but is outvoted soon.
_COMPARED = 5
#: Names of no column of a file.
_ID, _VALUES = "\0id", "\0values"


class Events(Protocol):
    """A table of events, such as `TableFile` or `KeptRows`."""

    def blocks(
        self, columns: Sequence[str], single: Collection[str], exact: Mapping[str, Rounding]
    ) -> Iterator[pd.DataFrame]:
        """Yield the rows in order, in blocks; see `TableFile.blocks`."""
        ...


def first_rows(events: Events, ids: str, columns: Sequence[str]) -> pd.DataFrame:
    """Return one row per id, in the order of the file; the index is the row number.

    It is one of the first rows that have values in the most columns: the first of those that deviate least
    from what most of these say. Later values, such as the price of another day, are ignored, because they are
    not known when the item first occurs.

    Args:
        events: the events.
        ids: name of the column of ids; rows without an id are skipped.
        columns: names of the columns to return; the column of ids is always included.

    Raises:
        DataError: see `blocks`.
    """
    names = list(dict.fromkeys([*columns, ids]))
    chosen = _marked(pd.DataFrame(columns=names), ids)
    waiting: list[pd.DataFrame] = []
    complete = pd.Index([])
    for block in events.blocks(names, single=[ids], exact={ids: IDS}):
        waiting.append(_shared(_fullest(_marked(block, ids, complete))))
        if sum(map(len, waiting)) > max(len(chosen), _TOGETHER):
            chosen, waiting = _fullest(_joined([chosen, *waiting])), []
            rows = chosen[_ID][chosen[_VALUES] == len(names)].value_counts(sort=False)
            complete = rows.index[rows == _COMPARED]
    return _usual(_fullest(_joined([chosen, *waiting])), names)


def usual_rows(rows: pd.DataFrame, ids: str) -> pd.DataFrame:
    """Return one row per id, in the order of the rows; see `first_rows`."""
    return _usual(_fullest(_marked(rows, ids)), [*rows.columns])


def _marked(rows: pd.DataFrame, ids: str, complete: Sequence[object] | pd.Index = ()) -> pd.DataFrame:
    """Return the rows that have an id, with it and their number of values in two more columns.

    Args:
        rows: the rows.
        ids: name of the column of ids.
        complete: ids of which no further row can count.
    """
    known = normalise_ids(rows[ids])
    wanted = known.notna() & ~known.isin(complete)
    rows, known = rows[wanted], known[wanted]
    values = sum((_are_said(rows[name]) for name in rows), np.zeros(len(rows), np.int64))
    return rows.assign(**{_ID: known, _VALUES: values})


def _shared(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows in which equal texts are one object: those of an item are mostly the same in each."""
    texts = rows.select_dtypes(object)
    return rows.assign(**{str(name): rows[name].map(_interned) for name in texts})


def _interned(value: object) -> object:
    return sys.intern(value) if type(value) is str else value


def _fullest(marked: pd.DataFrame) -> pd.DataFrame:
    """Return the first few of the rows with the most values for each id, in the order of the rows."""
    by_values = marked[[_ID, _VALUES]].sort_values(_VALUES, ascending=False, kind="stable")
    few = by_values.groupby(_ID, sort=False).cumcount().to_numpy() < _COMPARED
    return marked.loc[by_values.index[few]].sort_index()


def _usual(compared: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Return these columns of one row per id: of those with the most values, the most usual one."""
    item = pd.factorize(compared[_ID])[0]
    usual = sum((_are_usual(item, compared[name]) for name in names), np.zeros(len(item), np.int64))
    order = np.lexsort((-usual, -compared[_VALUES].to_numpy(np.int64)))
    first = order[~pd.Series(item[order]).duplicated().to_numpy()]
    return compared.iloc[np.sort(first)][[*names]]


def _are_usual(item: np.ndarray, values: pd.Series) -> np.ndarray:
    """Return 1 for values that more than half of those in the rows of their item equal, else 0, int64."""
    said = values.notna().to_numpy()
    code, distinct = pd.factorize(values.astype(str))
    _, pair, alike = np.unique((item * len(distinct) + code)[said], return_inverse=True, return_counts=True)
    are = np.zeros(len(item), np.int64)
    are[said] = 2 * alike[pair] > np.bincount(item[said])[item[said]]
    return are


def _are_said(values: pd.Series) -> np.ndarray:
    """Return 1 for values that are present and 0 for missing ones and blank texts, int64."""
    if pd.api.types.infer_dtype(values, skipna=True) != "string":
        return values.notna().to_numpy(np.int64)
    return as_text(values).is_valid().to_numpy(zero_copy_only=False).astype(np.int64)


def _joined(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    some = [part for part in parts if len(part)]
    return pd.concat(some) if some else parts[0]
