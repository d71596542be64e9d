"""Services that runs are recorded in, beside TensorBoard: a module for each."""

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


#: What makes a tracker of a configuration that names it. A new one is a module, its section and a line here.
TRACKERS: tuple[Callable[[Config], Tracker | None], ...] = (_mlflow,)


def recordings(config: Config, progress: Progress) -> list[Recording]:
    """Return what is to be told of trainings, evaluations and exports.

    Raises:
        MissingDependencyError: a package that one needs is not installed.
        TrackingError: the settings of one mean nothing to it.
    """
    trackers = [make(config) for make in TRACKERS]
    return [Recording(tracker, progress) for tracker in trackers if tracker is not None]
