"""The seam: what a service that records runs is told, in plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

Status = Literal["running", "finished", "killed"]


@dataclass(frozen=True)
class Beginning:
    """What a record starts with.

    Attributes:
        title: of the training, as its results are called.
        parameters: the configuration, by dotted names.
        tags: what else it may be searched by.
    """

    title: str
    parameters: Mapping[str, str]
    tags: Mapping[str, str]


class Tracker(Protocol):
    """Records trainings, one at a time, from `open` on.

    Whatever its service says is wrong comes as a `TrackingError`.

    Attributes:
        name: of the setting that configures it.
        store: what a record's identity means something in.
    """

    name: str
    store: str

    def open(self, identity: str | None, beginning: Beginning) -> str:
        """Go on with a record, or begin one if there is none of this identity (any more).

        Returns:
            Its identity, for the next time.
        """

    def metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        """Add points to curves; a step that a curve has already is kept as it is."""

    def files(self, files: Mapping[str, Path]) -> None:
        """Store files and folders, by the paths that they are to have there."""

    def model(self, repository: Path, version: str, facts: Mapping[str, str]) -> None:
        """Store an exported model repository, as a version that can be deployed.

        Args:
            repository: its folder.
            version: of the export.
            facts: about it.
        """

    def state(self, status: Status) -> None:
        """Say whether it goes on."""
