"""The format of item tables that change the catalogue of an export."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from m2trec_merlin.artifacts import atomic_write, read_json, reading
from m2trec_merlin.contract.version import ITEM_FORMAT


@dataclass(frozen=True)
class ItemFormat:
    """The columns of a table of items, as the source of the run has them.

    Attributes:
        id_column: column of the item ids.
        attributes: settings of all attributes, including those that the model does not read.
        title_column: column of the titles, where no attribute gives them.
        titles_from: column that titles are read from; the id column for items without titles.
        dialect: dialect of CSV files, see `readers.files.dialect.Dialect`.
        whole_ids: whether all ids of the run are whole numbers.
        unchangeable: why this model is limited to the items that it was trained with; empty if it is not.
    """

    id_column: str
    attributes: tuple[dict[str, Any], ...]
    title_column: str | None
    titles_from: str
    dialect: dict[str, Any]
    whole_ids: bool = False
    unchangeable: str = ""

    def write(self, folder: Path) -> None:
        """Write into a version folder of the second step."""
        atomic_write(folder / ITEM_FORMAT, json.dumps(asdict(self), indent=2))

    @classmethod
    def open(cls, folder: Path) -> ItemFormat:
        """Read from a version folder of the second step.

        Raises:
            ArtifactError: the file is missing or damaged.
        """
        content = read_json(folder / ITEM_FORMAT, "export")
        with reading(folder / ITEM_FORMAT, "export"):
            return cls(**{**content, "attributes": tuple(content["attributes"])})
