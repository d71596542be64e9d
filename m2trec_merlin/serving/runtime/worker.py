"""The work of a Triton worker for a step, independent of Triton: one version, or two side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from m2trec_merlin.contract.repository import version_folder
from m2trec_merlin.contract.server_settings import ServerSettings
from m2trec_merlin.serving.runtime.background import Background
from m2trec_merlin.serving.runtime.observing.observed import Answers, EnsembleStep, Observed
from m2trec_merlin.serving.runtime.side_by_side import SideBySide
from m2trec_merlin.serving.runtime.tally import Sink, Tally

_SECONDS_BETWEEN_METRICS = 1.0


class Worker:
    """A step with its metrics and logs.

    Args:
        step_class: function that makes the step from a version folder.
        folder: the version folder.
        settings: settings of the logs, and of the version to serve beside this one.
        sink: service that exposes metrics.
    """

    def __init__(
        self,
        step_class: Callable[[Path, Tally, bool], EnsembleStep],
        folder: Path,
        settings: ServerSettings,
        sink: Sink,
    ) -> None:
        tally = Tally()
        # A step in a process of its own may use threads for loading and for watching the catalogue.
        first = Observed(step_class(folder, tally, True), settings)
        self._versions, self._answer = [first], first.answer
        if settings.beside:
            other = version_folder(Path(settings.beside), first.step.name)
            second = Observed(step_class(other, tally, True), settings)
            self._versions = [first, second]
            self._answer = SideBySide(first, second, settings.share).answer
        # Counters have to exist before the first request.
        tally.publish(sink)
        self._publishing = Background(partial(tally.publish, sink), _SECONDS_BETWEEN_METRICS)

    def answer(self, requests: Sequence[Mapping[str, np.ndarray]], request_ids: Sequence[str]) -> Answers:
        """Answer a batch of requests, given their ids in Triton."""
        return self._answer(requests, request_ids)

    def close(self) -> None:
        """Write and publish what is left to write, and end all threads."""
        for version in self._versions:
            version.close()
        self._publishing.close()
