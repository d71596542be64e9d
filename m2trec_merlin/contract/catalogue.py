"""Versions of the catalogue after an export: numbered folders, each with all changes since the export.

They are beside the version folder of the second step; Triton ignores folders whose name is not a number:

    m2trec_predict/1/              the export
    m2trec_predict/catalogue/
        current                    the number of the served version; 0, or no file: the catalogue as exported
        7/                         a version, sealed; nothing in it ever changes

The files of a version hold the items that were added or updated; line i of each file is the same item.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from m2trec_merlin.artifacts import atomic_write, read_json, reading
from m2trec_merlin.contract.about import EXPORTED_CATALOGUE
from m2trec_merlin.contract.checksums import require_sealed, seal_of
from m2trec_merlin.contract.identity import export_version
from m2trec_merlin.contract.names import PREDICT
from m2trec_merlin.contract.repository import CATALOGUE
from m2trec_merlin.errors import ArtifactError

CURRENT, STATE = "current", "version.json"
#: Ids and raw attributes of the items, as JSON: all that an export needs to encode the items again.
RAW_ITEMS = "raw_items.parquet"
#: Its columns besides the ids: attributes given when an item was added, and those given by updates; or null.
ADDED, UPDATE = "added", "update"
#: int64, the row of the export whose training history an item has; NO_ITEM for items that it did not have.
HISTORIES = "histories.npy"

_VERB = "catalog rollback"
_SHOWN_OF_SEAL = 12
_VERSION_NAME = re.compile(rf"[1-9][0-9]{{0,17}}-[0-9a-f]{{{_SHOWN_OF_SEAL}}}")

#: Changed fields of `Availability` by name, and nothing else.
AvailabilityChange = dict[str, Any]


@dataclass(frozen=True)
class Availability:
    """When an item may be recommended; sessions may hold it at any time.

    Attributes:
        hidden: whether it is never recommended.
        available_from: start in seconds since 1970; None for no start.
        available_until: end in seconds since 1970; None for no end.
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
        """Whether the end of its availability is not after the start."""
        start, end = self.available_from, self.available_until
        return start is not None and end is not None and end <= start


@dataclass(frozen=True)
class CatalogueVersion:
    """The description of a catalogue version.

    Attributes:
        number: the version's number, from 1 on.
        parent: number of the version that it was made from.
        did: what was changed, for people.
        written: when it was written, in seconds since 1970.
        export: fingerprint of the export that the changes belong to, see `export_version`.
        items: number of items in the whole catalogue.
        removed: ids of removed items, which need not have been in the export.
        availability: availability by id, for items that are not available at all times.
        listed: ids of exported items that count as newly listed, as added items do.
        model: fingerprint of the exported model; empty in versions older than this field.
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

    @property
    def withdrawn(self) -> dict[str, Availability]:
        """Availability by id of items that are not recommended at all times, the removed ones among them."""
        return {**self.availability, **dict.fromkeys(self.removed, Availability(hidden=True))}

    def write(self, folder: Path) -> None:
        """Write into a version's folder."""
        atomic_write(folder / STATE, json.dumps(asdict(self)))

    @classmethod
    def open(cls, folder: Path, any_format: bool = False) -> CatalogueVersion:
        """Read from a version's folder, and check that its files are as they were written.

        Args:
            folder: folder of the version.
            any_format: whether to accept a version of another format, which cannot be served. Its changes
                read the same in all formats, so that an upgrade loses nothing.

        Raises:
            ArtifactError: files are missing, were added or altered.
        """
        require_sealed(folder, _VERB, any_format=any_format)
        return cls.read(folder)

    @classmethod
    def read(cls, folder: Path) -> CatalogueVersion:
        """Read from a version's folder without checking its other files.

        Raises:
            ArtifactError: the description is missing or damaged.
        """
        content: dict[str, Any] = read_json(folder / STATE, _VERB)
        with reading(folder / STATE, _VERB):
            given = content.pop("availability")
            availability = {item_id: Availability(**each) for item_id, each in given.items()}
            removed, listed = tuple(content.pop("removed")), tuple(content.pop("listed", ()))
            return cls(**content, removed=removed, availability=availability, listed=listed)


def require_servable(folder: Path, number: str, export: str) -> CatalogueVersion:
    """Return the description of a version, after checking that an export can serve it.

    Args:
        folder: folder of the catalogue versions.
        number: number of the version, not that of the catalogue as exported.
        export: fingerprint of the export.

    Raises:
        ArtifactError: the version is damaged, or belongs to another export.
    """
    version = CatalogueVersion.open(folder / number)
    if version.export != export:
        raise ArtifactError(f"{folder / number} is of another export than the one that is served")
    return version


def require_current(repository: Path) -> None:
    """Check that the current version of a repository's catalogue can be served; see `require_servable`."""
    folder = catalogue_folder(repository)
    if (number := current_version(folder)) != EXPORTED_CATALOGUE:
        require_servable(folder, number, export_version(repository))


def version_name(folder: Path, number: str) -> str:
    """Return the name of a version within a server, see `about.number_of`.

    Args:
        folder: folder of the catalogue versions.
        number: number of the version.

    Raises:
        ArtifactError: the version is not there or damaged.
    """
    if number == EXPORTED_CATALOGUE:
        return number
    return f"{number}-{seal_of(folder / number, _VERB)[:_SHOWN_OF_SEAL]}"


def is_version_name(text: str) -> bool:
    """Tell whether a text has the form of the name of a version; no other may become part of a path."""
    return text == EXPORTED_CATALOGUE or _VERSION_NAME.fullmatch(text) is not None


def catalogue_folder(repository: Path) -> Path:
    """Return the folder of catalogue versions in a model repository, which exists if there are any."""
    return repository / PREDICT / CATALOGUE


def current_version(folder: Path) -> str:
    """Return the number of the served version.

    Raises:
        ArtifactError: the file `current` is damaged.
    """
    path = folder / CURRENT
    if not path.is_file():
        return EXPORTED_CATALOGUE
    with reading(path, _VERB):
        return str(int(path.read_text(encoding="utf-8")))
