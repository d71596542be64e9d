"""The table of items that the server shows and filters by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa

from m2trec_merlin.attributes import Attribute
from m2trec_merlin.columns import is_list, without_repeats
from m2trec_merlin.contract.version import OWN_COLUMNS


def filter_attributes(attributes: Iterable[Attribute]) -> list[Attribute]:
    """Return the attributes to show and filter by; an attribute named `title` is only shown as the title."""
    return [each for each in attributes if each.is_shown and each.name not in OWN_COLUMNS]


def shown_columns(
    attributes: Sequence[Attribute],
    ids: Sequence[str],
    titles: Sequence[str] | pa.Array,
    counts: np.ndarray,
    values: Mapping[str, pd.Series],
) -> pa.Table:
    """Return a table of `item_id` and `title` as text, `train_count`, and filter columns; one row per item.

    Filter columns hold the raw values as the items workflow reads them: texts, lists of texts (each once), or
    float64.

    Args:
        attributes: attributes of the configuration.
        ids: ids of the items.
        titles: titles of the items.
        counts: int64, training occurrences of the items.
        values: raw values of the shown attributes, by attribute name.
    """
    own = (pa.array(ids, pa.string()), pa.array(titles, pa.string()), pa.array(counts, pa.int64()))
    columns = dict(zip(OWN_COLUMNS, own, strict=True))
    for attribute in filter_attributes(attributes):
        if attribute.name in values:
            found = attribute.filter_values(values[attribute.name])
            columns[attribute.name] = without_repeats(found) if is_list(found.type) else found
    return pa.table(columns)
