"""Rows of ids in each version of the catalogue, which is all that the first step needs of a catalogue."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq

from m2trec_merlin.column_names import ITEM_ID
from m2trec_merlin.contract.catalogue import CatalogueVersion
from m2trec_merlin.contract.version import CATALOGUE_IDS, ITEMS
from m2trec_merlin.encoded import NO_ITEM
from m2trec_merlin.rows import RowsOfIds


class ExportedIds:
    """The ids of an export, and of its later catalogue versions.

    Args:
        folder: version folder of the first step; `Description.open` has checked its files.
    """

    def __init__(self, folder: Path) -> None:
        ids = _ids(folder / CATALOGUE_IDS)
        self.rows = RowsOfIds(ids)
        self._next = NO_ITEM + 1 + len(ids)

    def changed(self, folder: Path, version: CatalogueVersion) -> RowsOfIds:
        """Return the rows of a version's ids; its own items follow those of the export."""
        return self.rows.changed(version.removed, self._next, _ids(folder / ITEMS))


def _ids(path: Path) -> list[str]:
    # `read_table` would import pandas, which takes a second and is not needed here.
    ids: list[str] = pq.ParquetFile(path).read([ITEM_ID]).column(ITEM_ID).to_pylist()
    return ids
