"""The table of items that the server shows and filters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa

from m2trec_merlin.attributes import Attribute


def shown_columns(
    attributes: Sequence[Attribute],
    ids: Sequence[str],
    titles: Sequence[str] | pa.Array,
    counts: np.ndarray,
    values: Mapping[str, pd.Series],
) -> pa.Table:
    """Return `item_id` and `title` as text, `train_count`, and the columns to filter by; a line an item.

    Filter columns hold the raw values as the items workflow reads them: texts, lists of texts, or float64.

    Args:
        attributes: of the configuration.
        ids: of the items.
        titles: of the items.
        counts: int64, their training occurrences.
        values: raw values by attribute, of those that are shown.
    """
    columns = {
        "item_id": pa.array(ids, pa.string()),
        "title": pa.array(titles, pa.string()),
        "train_count": pa.array(counts, pa.int64()),
    }
    for attribute in attributes:
        if attribute.is_shown and attribute.name in values and attribute.name not in columns:
            columns[attribute.name] = attribute.filter_values(values[attribute.name])
    return pa.table(columns)
