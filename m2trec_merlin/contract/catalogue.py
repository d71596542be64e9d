"""The catalogue as it goes on after an export: numbered versions, each with all that changed since then.

They lie in a folder beside the version folder of the second step, where Triton passes over what is no number:

    m2trec_predict/1/              what was exported
    m2trec_predict/catalogue/
        current                    the number of the version that is served; 0, or no file: as exported
        7/                         a version, sealed; nothing in it ever changes

The files of a version hold items that were added or updated; line i of all of them is one item.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from m2trec_merlin.artifacts import atomic_write, read_json, reading
from m2trec_merlin.contract.about import EXPORTED_CATALOGUE
from m2trec_merlin.contract.checksums import require_sealed
from m2trec_merlin.contract.names import PREDICT
from m2trec_merlin.contract.repository import CATALOGUE

CURRENT, STATE = "current", "version.json"
#: Ids, and what was said of each, as JSON: all that an export needs to encode the items again.
RAW_ITEMS = "raw_items.parquet"
#: Its columns besides the ids: what was said when an item was added, and what by updates; null for nothing.
ADDED, UPDATE = "added", "update"
#: int64, the row of the export whose training history an item has; NO_ITEM for those that it never had.
HISTORIES = "histories.npy"

_VERB = "catalog rollback"


#: What is said of when an item is available: fields of `Availability`, and no others.
SaidOfTimes = dict[str, Any]


@dataclass(frozen=True)
class Availability:
    """When an item may be recommended. It is known at any time: sessions may hold it.

    Attributes:
        hidden: never.
        available_from: seconds since 1970, or None: from the beginning.
        available_until: seconds since 1970, or None: without end.
    """

    hidden: bool = False
    available_from: float | None = None
    available_until: float | None = None

    def holds_at(self, now: float) -> bool:
        """Tell whether the item may be recommended at a time."""
        if self.hidden or (self.available_from is not None and now < self.available_from):
            return False
        return self.available_until is None or now < self.available_until

    @property
    def ends_first(self) -> bool:
        """Whether it would be available until a time that is not after the one from which it is."""
        start, end = self.available_from, self.available_until
        return start is not None and end is not None and end <= start


@dataclass(frozen=True)
class CatalogueVersion:
    """What a version says of itself.

    Attributes:
        number: from 1 on.
        parent: that it was made from.
        did: what was changed, for people.
        written: when, in seconds since 1970.
        export: of which it holds the changes, see `export_version`.
        items: of them all, in all.
        removed: ids that are no items any more; the export need not have had them.
        availability: by id, of items that are not available at all times.
        listed: ids of exported items that count as newly listed, as those do that came since.
        model: fingerprint of the model that was exported; empty in versions of before it was written.
    """

    number: int
    parent: int
    did: str
    written: float
    export: str
    items: int
    removed: tuple[str, ...] = ()
    availability: Mapping[str, Availability] = field(default_factory=dict)
    listed: tuple[str, ...] = ()
    model: str = ""

    def write(self, folder: Path) -> None:
        """Write into a version's folder."""
        atomic_write(folder / STATE, json.dumps(asdict(self)))

    @classmethod
    def open(cls, folder: Path, any_format: bool = False) -> CatalogueVersion:
        """Read from a version's folder, whose files are those that were written.

        Args:
            folder: of the version.
            any_format: whether a version will do that cannot be served, as it was written for an export of
                another format. What was changed reads the same in each, so that an upgrade loses nothing.

        Raises:
            ArtifactError: files are missing, were added or altered.
        """
        require_sealed(folder, _VERB, any_format=any_format)
        return cls.read(folder)

    @classmethod
    def read(cls, folder: Path) -> CatalogueVersion:
        """Read from a version's folder, without a look at its other files.

        Raises:
            ArtifactError: it is missing or damaged.
        """
        content: dict[str, Any] = read_json(folder / STATE, _VERB)
        with reading(folder / STATE, _VERB):
            given = content.pop("availability")
            availability = {item_id: Availability(**each) for item_id, each in given.items()}
            removed, listed = tuple(content.pop("removed")), tuple(content.pop("listed", ()))
            return cls(**content, removed=removed, availability=availability, listed=listed)


def catalogue_folder(repository: Path) -> Path:
    """Return where the versions of a model repository are, if it has any."""
    return repository / PREDICT / CATALOGUE


def current_version(folder: Path) -> str:
    """Return which version is served.

    Raises:
        ArtifactError: the file that says so is damaged.
    """
    path = folder / CURRENT
    if not path.is_file():
        return EXPORTED_CATALOGUE
    with reading(path, _VERB):
        return str(int(path.read_text(encoding="utf-8")))
