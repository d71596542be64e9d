"""How a table of items is written that is to change the catalogue of an export."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from m2trec_merlin.artifacts import atomic_write, read_json, reading
from m2trec_merlin.contract.version import ITEM_FORMAT


@dataclass(frozen=True)
class ItemFormat:
    """The columns of items.

    Attributes:
        id_column: that the source of the run calls the item's id by.
        attributes: settings of all attributes, those that the model does not read included.
        title_column: of the titles, where none of the attributes gives them.
        titles_from: column of the titles; the ids' own for items without any.
        dialect: of CSV files, see `readers.files.dialect.Dialect`.
        whole_ids: whether all ids of the run are whole numbers.
        unchangeable: why this model cannot take other items than it was trained with; empty if it can.
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
            ArtifactError: it is missing or damaged.
        """
        content = read_json(folder / ITEM_FORMAT, "export")
        with reading(folder / ITEM_FORMAT, "export"):
            return cls(**{**content, "attributes": tuple(content["attributes"])})
