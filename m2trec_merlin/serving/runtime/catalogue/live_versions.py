"""Which version of the catalogue is served: watched beside the requests, opened before it is needed."""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from m2trec_merlin.contract.about import EXPORTED_CATALOGUE
from m2trec_merlin.contract.catalogue import (
    CURRENT,
    CatalogueVersion,
    catalogue_folder,
    current_version,
)
from m2trec_merlin.errors import ArtifactError, ServerError
from m2trec_merlin.serving.runtime.background import Background, tell

T = TypeVar("T")

#: A look is one question to the file system; new items wait for it.
_SECONDS_BETWEEN_LOOKS = 0.1
#: What cannot be read may still be on its way: copied by a program that knows no order, or cached by a disk.
_SECONDS_UNTIL_TRIED_AGAIN = 10.0
#: Versions that stay open: requests between the two steps are of the newest or of the one before.
_MOST_OPEN = 3


class LiveVersions(Generic[T]):
    """Opens versions of the catalogue, as a step needs them.

    A new version that is damaged is not served: the one before it goes on, whoever runs the server is told
    why (`background.tell`), and it is tried again. So it is with a version of another export, where the
    repository was replaced.

    Args:
        repository: that the step belongs to.
        export: which export it is, as `export_version` has it.
        exported: the catalogue as it was exported.
        open_version: opens a version's folder.
        in_background: look for another one in a thread; if not, when it is asked which one is served.

    Raises:
        ArtifactError: the current version is damaged, or is one of another export.
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
        self._look()
        self._watching = Background(self._look_or_tell, _SECONDS_BETWEEN_LOOKS) if in_background else None

    def get(self, number: str) -> T:
        """Return a version.

        Raises:
            ServerError: it cannot be opened.
        """
        if number == EXPORTED_CATALOGUE:
            return self._exported
        if (known := self._known(number)) is not None:
            return known
        # Requests of a version and the watch may open it at once; requests of others do not wait for that.
        with self._opening:
            if (known := self._known(number)) is not None:
                return known
            try:
                opened = self._opened(number)
            except (ArtifactError, ValueError, OSError) as error:
                raise ServerError(f"version {number} of the catalogue cannot be read: {error}") from None
            with self._lock:
                self._open[number] = opened
                while len(self._open) > _MOST_OPEN:
                    self._open.popitem(last=False)
            return opened

    def served(self) -> tuple[str, T]:
        """Return the version that is served now: its number, and itself."""
        if self._watching is None:
            self._look_or_tell()
        number = self.current
        return number, self.get(number)

    def close(self) -> None:
        """Watch no longer."""
        if self._watching is not None:
            self._watching.close()

    def _known(self, number: str) -> T | None:
        with self._lock:
            if number in self._open:
                self._open.move_to_end(number)
            return self._open.get(number)

    def _opened(self, number: str) -> T:
        folder = self._folder / str(int(number))
        version = CatalogueVersion.open(folder)
        if version.export != self._export:
            raise ArtifactError(f"{folder} is of another export than the one that is served")
        return self._open_version(folder, version)

    def _look(self) -> None:
        state = _state(self._folder / CURRENT)
        # There is none for a moment while an export replaces the repository: what was served goes on.
        if state is None or (state == self._looked_at and time.monotonic() < self._tried_again):
            return
        # Whatever goes wrong from here on, it is looked at again.
        self._looked_at, self._tried_again = state, time.monotonic() + _SECONDS_UNTIL_TRIED_AGAIN
        number = current_version(self._folder)
        try:
            self.get(number)
        except ServerError as error:
            raise ArtifactError(str(error)) from None
        self.current, self._told, self._tried_again = number, "", math.inf

    def _look_or_tell(self) -> None:
        try:
            self._look()
        except ArtifactError as error:
            why = f"{error}; version {self.current} goes on being served"
            if why != self._told:
                tell(why)
            self._told = why


def _state(path: Path) -> object:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns
