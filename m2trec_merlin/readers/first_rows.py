"""Items where no table describes them: rows of events say what their items are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from m2trec_merlin.columns import as_text
from m2trec_merlin.readers.canonical import normalise_ids
from m2trec_merlin.readers.files.table_file import TableFile

#: Rows that are held together at least before those that say less are let go.
_TOGETHER = 100_000


def first_rows(file: TableFile, ids: str, columns: Sequence[str]) -> pd.DataFrame:
    """Return a row of each id, in the order of the file; the index is the row number.

    It is the first one, or the first that has more of the columns. What later rows say otherwise, such as the
    price of another day, is not known when an item comes up.

    Args:
        file: the events.
        ids: column of ids; rows without one are passed over.
        columns: to return, with that of the ids among them or not.

    Raises:
        DataError: see `TableFile.blocks`.
    """
    names = list(dict.fromkeys([*columns, ids]))
    chosen = pd.DataFrame(columns=names)
    waiting: list[pd.DataFrame] = []
    for block in file.blocks(names, single=[ids]):
        waiting.append(rows_saying_most(block, ids))
        if sum(map(len, waiting)) > max(len(chosen), _TOGETHER):
            chosen, waiting = rows_saying_most(_joined([chosen, *waiting]), ids), []
    return rows_saying_most(_joined([chosen, *waiting]), ids)


def rows_saying_most(rows: pd.DataFrame, ids: str) -> pd.DataFrame:
    """Return of each id in a column the first row of those that have the most values, in their order."""
    named, values = normalise_ids(rows[ids]), sum(_are_said(rows[name]) for name in rows)
    known = pd.DataFrame({"id": named, "values": values}, index=rows.index)
    known = known[named.notna()].sort_values("values", ascending=False, kind="stable")
    return rows.loc[known.index[~known["id"].duplicated()]].sort_index()


def _are_said(values: pd.Series) -> np.ndarray:
    """Tell which values are there, int; blank texts are not."""
    if pd.api.types.infer_dtype(values, skipna=True) != "string":
        return values.notna().to_numpy(np.int64)
    return as_text(values).is_valid().to_numpy(zero_copy_only=False).astype(np.int64)


def _joined(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    some = [part for part in parts if len(part)]
    return pd.concat(some) if some else parts[0]
