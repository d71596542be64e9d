"""The interface of services that record runs, in plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

Status = Literal["running", "finished", "killed"]


@dataclass(frozen=True)
class Beginning:
    """The data that a record starts with.

    Attributes:
        title: title of the training, as in its results.
        parameters: settings of the configuration, by dotted names.
        tags: further values to search records by.
    """

    title: str
    parameters: Mapping[str, str]
    tags: Mapping[str, str]


class Tracker(Protocol):
    """A service that records trainings, one at a time, from `open` on.

    All errors of the service are raised as `TrackingError`.

    Attributes:
        name: name of the setting that configures it.
        store: address of the store that identities of records belong to.
    """

    name: str
    store: str

    def open(self, identity: str | None, beginning: Beginning) -> str:
        """Continue a record, or begin one if there is none with this identity (any more).

        Returns:
            The identity of the record, for the next call.
        """

    def metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        """Add points to curves; a point is ignored if its curve has the step already."""

    def files(self, files: Mapping[str, Path]) -> None:
        """Store files and folders, given by their paths in the record."""

    def model(self, repository: Path, version: str, facts: Mapping[str, str]) -> None:
        """Store an exported model repository, as a version that can be deployed.

        Args:
            repository: folder of the model repository.
            version: fingerprint of the export.
            facts: facts about the export, by name.
        """

    def state(self, status: Status) -> None:
        """Set whether the training is running, finished or killed."""
