"""Reading of the catalogue versions on disk: which there are, and their changes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from m2trec_merlin.column_names import ITEM_ID
from m2trec_merlin.contract.about import EXPORTED_CATALOGUE
from m2trec_merlin.contract.catalogue import (
    ADDED,
    HISTORIES,
    RAW_ITEMS,
    STATE,
    UPDATE,
    CatalogueVersion,
    current_version,
)
from m2trec_merlin.encoded import NO_ITEM
from m2trec_merlin.errors import ArtifactError
from m2trec_merlin.serving.catalogue.changes import Changes
from m2trec_merlin.serving.catalogue.raw_items import Raw, overridden


class KeptVersions:
    """The catalogue versions of a repository, whatever the format of its export.

    Args:
        folder: folder of the versions, see `contract.catalogue`.
        columns: names of the columns that describe items.
    """

    def __init__(self, folder: Path, columns: Sequence[str]) -> None:
        self.folder, self.columns = folder, columns

    def current(self) -> int:
        """Return the number of the served version; 0 for the catalogue as exported."""
        return int(current_version(self.folder))

    def numbers(self) -> list[int]:
        """Return the numbers of the kept versions in ascending order."""
        folders = self.folder.iterdir() if self.folder.is_dir() else []
        return sorted(int(folder.name) for folder in folders if folder.name.isdecimal())

    def all(self) -> list[CatalogueVersion]:
        """Return the descriptions of all kept versions, oldest first."""
        return [self.about(number) for number in self.numbers()]

    def about(self, number: int) -> CatalogueVersion:
        """Return the description of a version.

        Raises:
            ArtifactError: the version is not there or damaged.
        """
        return CatalogueVersion.read(self.folder / str(number))

    def before(self, number: int) -> int:
        """Return the number of a version's parent; if the version is damaged, that of the next older one."""
        try:
            return self.about(number).parent
        except ArtifactError:
            return max((each for each in self.numbers() if each < number), default=0)

    def newest_undamaged(self) -> int:
        """Return the number of the newest version that can be read; 0 if there is none."""
        for number in reversed(self.numbers()):
            with suppress(ArtifactError):
                self.changes(number)
                return number
        return int(EXPORTED_CATALOGUE)

    def changes(self, number: int) -> Changes:
        """Return the changes that a version holds.

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
        added, updates = self._said(folder)
        return Changes(
            added, updates, frozenset(version.removed), version.availability, frozenset(version.listed)
        )

    def _said(self, folder: Path) -> tuple[dict[str, Raw], dict[str, Raw]]:
        """Return the raw attributes of a version's added items, and those from updates, by id."""
        table = pq.read_table(folder / RAW_ITEMS)
        ids = table.column(ITEM_ID).to_pylist()
        if UPDATE in table.column_names:
            columns = (table.column(name).to_pylist() for name in (ADDED, UPDATE))
            added, updates = (
                {item_id: raw for item_id, raw in zip(ids, column, strict=True) if raw is not None}
                for column in columns
            )
            return added, updates
        # Before format 20 all attributes of an item were in one column, without those that it lacks.
        nothing = json.dumps(dict.fromkeys(self.columns))
        added, updates = {}, {}
        rows = zip(ids, table.column("raw").to_pylist(), np.load(folder / HISTORIES).tolist(), strict=True)
        for item_id, raw, history in rows:
            (added if history == NO_ITEM else updates)[item_id] = overridden(nothing, raw)
        return added, updates
