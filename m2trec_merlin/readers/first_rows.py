"""Derive the items table from the events, where no other table describes the items."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from m2trec_merlin.columns import as_text
from m2trec_merlin.readers.canonical import normalise_ids
from m2trec_merlin.readers.files.table_file import TableFile
from m2trec_merlin.readers.rounded import IDS

#: Rows collected, at least, before the less complete ones are dropped.
_TOGETHER = 100_000


def first_rows(file: TableFile, ids: str, columns: Sequence[str]) -> pd.DataFrame:
    """Return one row per id, in the order of the file; the index is the row number.

    It is the first of those rows that have values in the most columns. Later values, such as the price of
    another day, are ignored, because they are not known when the item first occurs.

    Args:
        file: file of events.
        ids: name of the column of ids; rows without an id are skipped.
        columns: names of the columns to return; the column of ids is always included.

    Raises:
        DataError: see `TableFile.blocks`.
    """
    names = list(dict.fromkeys([*columns, ids]))
    chosen = pd.DataFrame(columns=names)
    waiting: list[pd.DataFrame] = []
    for block in file.blocks(names, single=[ids], exact={ids: IDS}):
        waiting.append(rows_saying_most(block, ids))
        if sum(map(len, waiting)) > max(len(chosen), _TOGETHER):
            chosen, waiting = rows_saying_most(_joined([chosen, *waiting]), ids), []
    return rows_saying_most(_joined([chosen, *waiting]), ids)


def rows_saying_most(rows: pd.DataFrame, ids: str) -> pd.DataFrame:
    """Return for each id the first of its rows with the most values, in the order of the rows."""
    named, values = normalise_ids(rows[ids]), sum(_are_said(rows[name]) for name in rows)
    known = pd.DataFrame({"id": named, "values": values}, index=rows.index)
    known = known[named.notna()].sort_values("values", ascending=False, kind="stable")
    return rows.loc[known.index[~known["id"].duplicated()]].sort_index()


def _are_said(values: pd.Series) -> np.ndarray:
    """Return 1 for values that are present and 0 for missing ones and blank texts, int64."""
    if pd.api.types.infer_dtype(values, skipna=True) != "string":
        return values.notna().to_numpy(np.int64)
    return as_text(values).is_valid().to_numpy(zero_copy_only=False).astype(np.int64)


def _joined(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    some = [part for part in parts if len(part)]
    return pd.concat(some) if some else parts[0]
