"""Items where no table describes them: rows of events say what their items are, and the first one counts."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from m2trec_merlin.readers.canonical import normalise_ids
from m2trec_merlin.readers.files import TableFile


def first_rows(file: TableFile, ids: str, columns: Sequence[str]) -> pd.DataFrame:
    """Return the first row of each id, in the order of the file; the index is the row number.

    What later rows say otherwise, such as the price of another day, is not known when an item comes up first.

    Args:
        file: the events.
        ids: column of ids; rows without one are passed over.
        columns: to return, with that of the ids among them or not.

    Raises:
        DataError: see `TableFile.blocks`.
    """
    names = list(dict.fromkeys([*columns, ids]))
    seen: set[object] = set()
    found = []
    for block in file.blocks(names, single=[ids]):
        named = normalise_ids(block[ids])
        first = block[named.notna() & ~named.duplicated() & ~named.isin(seen)]
        seen.update(named[first.index])
        found.append(first)
    return pd.concat(found) if found else pd.DataFrame(columns=names)
