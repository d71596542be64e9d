"""Where the tables are that a run was made from, and whether the configuration names others today."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from m2trec_merlin.config import Config
from m2trec_merlin.manifests import digest_of
from m2trec_merlin.readers import PATHS


@dataclass(frozen=True)
class Table:
    """A table that a configuration names: a file, or a folder of files.

    Attributes:
        path: path of the table.
        run: folder of the run.
    """

    path: Path
    run: Path

    @property
    def place(self) -> str:
        """The path as seen from the folder of the run, as a run may be moved with its tables."""
        return os.path.relpath(self.path.resolve(), self.run.resolve())

    @cached_property
    def bytes(self) -> int:
        """The size of all files together."""
        return sum(file.stat().st_size for file in self._files)

    def recorded(self) -> list[Any]:
        """Return what a manifest tells of the table: place, bytes, and a digest, for which all is read."""
        return [self.place, self.bytes, self._digest()]

    def is_other_than(self, place: str, size: int, digest: str | None = None) -> bool:
        """Tell whether this is another table than a recorded one: it lies elsewhere, and holds other bytes.

        A table that grew where it lies is the same one. Files are read only if the table lies elsewhere and
        has the same size.

        Args:
            place: the recorded place.
            size: the recorded bytes.
            digest: the recorded digest; None in manifests of earlier versions.
        """
        if self.place == place:
            return False
        return self.bytes != size or (digest is not None and self._digest() != digest)

    def has_grown(self, place: str, size: int, *_: Any) -> bool:
        """Tell whether this is a recorded table, where it was, that holds more or fewer bytes by now."""
        return self.place == place and self.bytes != size

    @cached_property
    def _files(self) -> list[Path]:
        files = self.path.rglob("*") if self.path.is_dir() else [self.path]
        return sorted(file for file in files if file.is_file())

    def _digest(self) -> str:
        # Names inside a folder count, as they give the order of the rows; that of the table does not.
        lines = (f"{file.relative_to(self.path)} {digest_of(file)}\n" for file in self._files)
        return hashlib.sha256("".join(lines).encode(errors="surrogateescape")).hexdigest()


def tables_of(config: Config) -> dict[str, Table]:
    """Return the tables that a configuration names, by the settings of `data`; those that are there."""
    paths = {name: getattr(config.data, name, None) for name in dict.fromkeys(PATHS)}
    return {
        name: Table(path, config.directory)
        for name, path in paths.items()
        if path is not None and path.exists()
    }
