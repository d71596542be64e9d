"""The table of items that the server shows and filters, made from the catalogue's display table."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa

from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.columns import as_text
from m2trec_merlin.config import AttributeConfig, Config
from m2trec_merlin.workflows.operators import SplitValues, numbers

_ALL_VALUES = 2**31 - 1


def item_columns(config: Config, catalogue: Catalogue) -> pa.Table:
    """Return `item_id` and `title` as text, `train_count`, and the columns to filter by; line i is row i + 1.

    Filter columns hold the raw values as the items workflow reads them: texts (categorical), lists of
    texts (multi_categorical), float64 (numeric).
    """
    display = catalogue.display()
    columns = {
        "item_id": pa.array([str(item_id) for item_id in catalogue.item_ids[1:]], pa.string()),
        "title": pa.array([str(title) for title in display["title"]], pa.string()),
        "train_count": pa.array(catalogue.train_counts[1:]),
    }
    for attribute in config.attributes:
        if attribute.name in display and attribute.name not in columns:
            columns[attribute.name] = _filter_column(attribute, display[attribute.name])
    return pa.table(columns)


def _filter_column(attribute: AttributeConfig, values: pd.Series) -> pa.Array:
    if attribute.kind == "numeric":
        return numbers(values)
    if attribute.kind == "multi_categorical":
        return SplitValues(attribute.separator, _ALL_VALUES).convert(attribute.name, values)
    return as_text(values)
