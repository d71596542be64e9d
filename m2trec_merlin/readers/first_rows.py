"""Derive the items table from the events, where no other table describes the items."""

from __future__ import annotations

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
    chosen = pd.DataFrame(columns=names)
    waiting: list[pd.DataFrame] = []
    for block in events.blocks(names, single=[ids], exact={ids: IDS}):
        waiting.append(_fullest(block, ids))
        if sum(map(len, waiting)) > max(len(chosen), _TOGETHER):
            chosen, waiting = _fullest(_joined([chosen, *waiting]), ids), []
    return usual_rows(_joined([chosen, *waiting]), ids)


def usual_rows(rows: pd.DataFrame, ids: str) -> pd.DataFrame:
    """Return one row per id, in the order of the rows; see `first_rows`."""
    compared = _fullest(rows, ids)
    known = _known(compared, ids)
    known["usual"] = sum(_are_usual(known["id"], compared[name]) for name in compared)
    known = known.sort_values(["values", "usual"], ascending=False, kind="stable")
    return compared.loc[known.index[~known["id"].duplicated()]].sort_index()


def _fullest(rows: pd.DataFrame, ids: str) -> pd.DataFrame:
    """Return the first few of the rows with the most values for each id, in the order of the rows."""
    known = _known(rows, ids)
    known = known[known["id"].notna()].sort_values("values", ascending=False, kind="stable")
    return rows.loc[known.index[known.groupby("id", sort=False).cumcount() < _COMPARED]].sort_index()


def _known(rows: pd.DataFrame, ids: str) -> pd.DataFrame:
    """Return the id of each row, and the number of its values."""
    values = sum(_are_said(rows[name]) for name in rows)
    return pd.DataFrame({"id": normalise_ids(rows[ids]), "values": values}, index=rows.index)


def _are_usual(ids: pd.Series, values: pd.Series) -> np.ndarray:
    """Return 1 for values that more than half of those in the rows of their id equal, else 0, int64."""
    pairs = pd.DataFrame({"id": ids, "value": values.astype(str).where(values.notna())})
    alike = pairs.groupby(["id", "value"])["value"].transform("size").to_numpy(np.float64, na_value=0)
    return (2 * alike > pairs.groupby("id")["value"].transform("count").to_numpy()).astype(np.int64)


def _are_said(values: pd.Series) -> np.ndarray:
    """Return 1 for values that are present and 0 for missing ones and blank texts, int64."""
    if pd.api.types.infer_dtype(values, skipna=True) != "string":
        return values.notna().to_numpy(np.int64)
    return as_text(values).is_valid().to_numpy(zero_copy_only=False).astype(np.int64)


def _joined(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    some = [part for part in parts if len(part)]
    return pd.concat(some) if some else parts[0]
