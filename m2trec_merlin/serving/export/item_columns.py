"""The table of items that the server shows and filters, made from the catalogue's display table."""

from __future__ import annotations

import pyarrow as pa

from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.config import Config


def item_columns(config: Config, catalogue: Catalogue) -> pa.Table:
    """Return `item_id` and `title` as text, `train_count`, and the columns to filter by; line i is row i + 1.

    Filter columns hold the raw values as the items workflow reads them: texts, lists of texts, or float64.
    """
    display = catalogue.display()
    columns = {
        "item_id": pa.array([str(item_id) for item_id in catalogue.item_ids[1:]], pa.string()),
        "title": pa.array([str(title) for title in display["title"]], pa.string()),
        "train_count": pa.array(catalogue.train_counts[1:]),
    }
    for attribute in config.attributes:
        if attribute.is_shown and attribute.name in display and attribute.name not in columns:
            columns[attribute.name] = attribute.filter_values(display[attribute.name])
    return pa.table(columns)
