"""Services that record runs, in addition to TensorBoard: a module for each."""

from __future__ import annotations

from collections.abc import Callable

from m2trec_merlin.config import Config
from m2trec_merlin.progress import Progress
from m2trec_merlin.tracking.base import Tracker
from m2trec_merlin.tracking.mlflow import Mlflow
from m2trec_merlin.tracking.recording import Recording

__all__ = ["TRACKERS", "Recording", "recordings"]


def _mlflow(config: Config) -> Tracker | None:
    section = config.tracking.mlflow
    return None if section is None else Mlflow(section, config.name)


#: Functions that make a tracker if a configuration asks for it. A new one is a module, its section of the
#: configuration, and an entry here.
TRACKERS: tuple[Callable[[Config], Tracker | None], ...] = (_mlflow,)


def recordings(config: Config, progress: Progress) -> list[Recording]:
    """Return a recording for each configured tracker, to report trainings, evaluations and exports to.

    Raises:
        MissingDependencyError: a package that a tracker needs is not installed.
        TrackingError: a tracker cannot use its settings.
    """
    trackers = [make(config) for make in TRACKERS]
    return [Recording(tracker, progress) for tracker in trackers if tracker is not None]
