"""Versions of the catalogue that are kept on disk: which there are, and what they hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from m2trec_merlin.column_names import ITEM_ID
from m2trec_merlin.contract.about import EXPORTED_CATALOGUE
from m2trec_merlin.contract.catalogue import HISTORIES, RAW_ITEMS, STATE, CatalogueVersion, current_version
from m2trec_merlin.encoded import NO_ITEM
from m2trec_merlin.errors import ArtifactError
from m2trec_merlin.serving.catalogue.changes import Changes


class KeptVersions:
    """Those of one repository, of whatever format its export is.

    Args:
        folder: of the versions, see `contract.catalogue`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def current(self) -> int:
        """Return the number of the version that is served; 0: as exported."""
        return int(current_version(self.folder))

    def numbers(self) -> list[int]:
        """Return the numbers of those that are kept, rising."""
        folders = self.folder.iterdir() if self.folder.is_dir() else []
        return sorted(int(folder.name) for folder in folders if folder.name.isdecimal())

    def all(self) -> list[CatalogueVersion]:
        """Return all versions that are kept, oldest first."""
        return [self.about(number) for number in self.numbers()]

    def about(self, number: int) -> CatalogueVersion:
        """Return what a version says of itself.

        Raises:
            ArtifactError: it is not there or damaged.
        """
        return CatalogueVersion.read(self.folder / str(number))

    def before(self, number: int) -> int:
        """Return the version that one was made from; of a damaged one, the newest that is older."""
        try:
            return self.about(number).parent
        except ArtifactError:
            return max((each for each in self.numbers() if each < number), default=0)

    def changes(self, number: int) -> Changes:
        """Return what a version holds.

        Raises:
            ArtifactError: there is no such version, or it is damaged.
        """
        if str(number) == EXPORTED_CATALOGUE:
            return Changes()
        folder = self.folder / str(number)
        if not (folder / STATE).is_file():
            kept = ", ".join(str(each) for each in (0, *self.numbers()))
            raise ArtifactError(f"there is no version {number} of the catalogue; kept are {kept}")
        version = CatalogueVersion.open(folder, any_format=True)
        table = pq.read_table(folder / RAW_ITEMS)
        items = dict(zip(table.column(ITEM_ID).to_pylist(), table.column("raw").to_pylist(), strict=True))
        return Changes(items, frozenset(version.removed), version.availability, frozenset(version.listed))

    def updated(self, number: int, changes: Changes) -> set[str]:
        """Return which items of a version its export had: they were updated, the others were added.

        Args:
            number: of the version.
            changes: that it holds.
        """
        histories = np.load(self.folder / str(number) / HISTORIES).tolist()
        return {item_id for item_id, row in zip(changes.items, histories, strict=True) if row != NO_ITEM}
