"""The served version of the catalogue: watched in the background, and opened before requests need it."""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from m2trec_merlin.contract.about import EXPORTED_CATALOGUE, number_of
from m2trec_merlin.contract.catalogue import (
    CURRENT,
    CatalogueVersion,
    catalogue_folder,
    current_version,
    is_version_name,
    require_servable,
    version_name,
)
from m2trec_merlin.errors import ArtifactError, RefusedError, ServerError
from m2trec_merlin.serving.runtime.background import Background, tell
from m2trec_merlin.serving.runtime.notes import show

T = TypeVar("T")

#: Short, as new items wait for it; a look only costs one call to the file system.
_SECONDS_BETWEEN_LOOKS = 0.1
#: A version that cannot be read may still be incomplete: being copied in any order, or cached by a disk.
_SECONDS_UNTIL_TRIED_AGAIN = 10.0
#: Number of versions that stay open: a request between the two steps may need the one before the newest.
_MOST_OPEN = 3


class LiveVersions(Generic[T]):
    """The versions of a catalogue, opened in the form that a step needs.

    A new version that is damaged is not served: the earlier one stays in use, the operator is told why
    (`background.tell`), and the new one is tried again. The same holds for a version of another export, where
    the repository was replaced, but it still says by id which items may not be recommended any more.

    Args:
        repository: model repository of the step.
        export: fingerprint of the export, see `export_version`.
        exported: the catalogue as it was exported.
        open_version: function that opens a version from its folder and description.
        in_background: whether to look for a new version in a thread; else whenever one is asked for.

    Raises:
        ArtifactError: the current version is damaged, or belongs to another export.
    """

    def __init__(
        self,
        repository: Path,
        export: str,
        exported: T,
        open_version: Callable[[Path, CatalogueVersion], T],
        in_background: bool = False,
    ) -> None:
        self._folder, self._export = catalogue_folder(repository), export
        self._open_version = open_version
        self._exported = exported
        self._open: OrderedDict[str, T] = OrderedDict()
        self._lock, self._opening = threading.Lock(), threading.Lock()
        self._looked_at: object = None
        self._tried_again, self._told = math.inf, ""
        self.current = EXPORTED_CATALOGUE
        self._of_another_export: CatalogueVersion | None = None
        self._look()
        self._watching = Background(self._look_or_tell, _SECONDS_BETWEEN_LOOKS) if in_background else None

    def get(self, name: str) -> T:
        """Return the version of a name, see `version_name`.

        Raises:
            RefusedError: it is no name of a version.
            ServerError: the version cannot be opened; clients may read why, but no path of the server.
        """
        if not is_version_name(name):
            raise RefusedError(f"{show(name)} is no catalogue version as the first step names them")
        try:
            return self._get(name)
        except (ArtifactError, ValueError, OSError) as error:
            why = str(error).replace(f"{self._folder}/", "")
            raise ServerError(_unreadable(number_of(name), why)) from None

    def _get(self, name: str) -> T:
        if name == EXPORTED_CATALOGUE:
            return self._exported
        if (known := self._known(name)) is not None:
            return known
        # Requests and the watching thread may want the same version; requests of open versions do not wait.
        with self._opening:
            if (known := self._known(name)) is not None:
                return known
            opened = self._opened(name)
            with self._lock:
                self._open[name] = opened
                while len(self._open) > _MOST_OPEN:
                    self._open.popitem(last=False)
            return opened

    def served(self) -> tuple[str, T]:
        """Return the name of the version that is served now, and the version."""
        self._look_unless_watching()
        name = self.current
        return name, self.get(name)

    def of_another_export(self) -> CatalogueVersion | None:
        """Return the newest version, if it is of another export and so not served; else None."""
        self._look_unless_watching()
        return self._of_another_export

    def close(self) -> None:
        """Stop watching."""
        if self._watching is not None:
            self._watching.close()

    def _look_unless_watching(self) -> None:
        if self._watching is None:
            self._look_or_tell()

    def _known(self, name: str) -> T | None:
        with self._lock:
            if name in self._open:
                self._open.move_to_end(name)
            return self._open.get(name)

    def _opened(self, name: str) -> T:
        number = number_of(name)
        folder = self._folder / number
        if version_name(self._folder, number) != name:
            raise ArtifactError(f"{folder} was replaced meanwhile")
        return self._open_version(folder, require_servable(self._folder, number, self._export))

    def _look(self) -> None:
        state = _state(self._folder / CURRENT)
        # The file is missing for a moment while an export replaces the repository; the version stays in use.
        if state is None or (state == self._looked_at and time.monotonic() < self._tried_again):
            return
        # Set first, so that any failure below leads to another attempt.
        self._looked_at, self._tried_again = state, time.monotonic() + _SECONDS_UNTIL_TRIED_AGAIN
        number = current_version(self._folder)
        try:
            name = version_name(self._folder, number)
            if number != EXPORTED_CATALOGUE:
                self._note_if_of_another_export(self._folder / number)
            self._get(name)
        except (ArtifactError, ValueError, OSError) as error:
            raise ArtifactError(_unreadable(number, error)) from None
        self.current, self._told, self._tried_again = name, "", math.inf
        self._of_another_export = None

    def _note_if_of_another_export(self, folder: Path) -> None:
        if CatalogueVersion.read(folder).export != self._export:
            self._of_another_export = CatalogueVersion.open(folder, any_format=True)

    def _look_or_tell(self) -> None:
        try:
            self._look()
        except ArtifactError as error:
            why = f"{error}; version {number_of(self.current)} goes on being served"
            if (later := self._of_another_export) is not None:
                why += f", without what version {later.number} removes or hides, until this is started again"
            if why != self._told:
                tell(why)
            self._told = why


def _unreadable(number: str, why: object) -> str:
    return f"version {number} of the catalogue cannot be read: {why}"


def _state(path: Path) -> object:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns
