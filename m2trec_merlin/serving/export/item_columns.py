"""The table of items that the server shows and filters by, made from the catalogue's display table."""

from __future__ import annotations

import pyarrow as pa

from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.column_names import LISTED
from m2trec_merlin.config import Config
from m2trec_merlin.serving.catalogue.shown import shown_columns


def item_columns(config: Config, catalogue: Catalogue) -> pa.Table:
    """Return the `shown_columns` of all items, and which are newly listed; line i is row i + 1."""
    display = catalogue.display()
    shown = shown_columns(
        config.attributes,
        [str(item_id) for item_id in catalogue.item_ids[1:]],
        [str(title) for title in display["title"]],
        catalogue.train_counts[1:],
        {a.name: display[a.name] for a in config.attributes if a.name in display},
    )
    if catalogue.listed is None:
        return shown
    return shown.append_column(LISTED, pa.array(catalogue.listed[1:]))
