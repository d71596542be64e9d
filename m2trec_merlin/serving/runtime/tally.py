"""What a step counts, kept in memory until it is published.

Triton's own counters live in another process, to which each change of one is a message: far too slow for each
request. So a step counts here, and a thread hands over what has come together (`background.py`).
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Callable
from typing import Protocol

from m2trec_merlin.contract.metrics import (
    BUCKETS,
    CATALOGUE,
    CATALOGUE_ITEMS,
    CATALOGUE_WRITTEN,
    METRICS,
    SECONDS,
    Kind,
    ServerMetric,
)

#: Names and values.
Labels = tuple[tuple[str, str], ...]
#: A name as it is exposed, and labels.
Series = tuple[str, Labels]

_ENDS = (*(f"{bound:g}" for bound in BUCKETS), "+Inf")


class Sink(Protocol):
    """Where metrics are exposed."""

    def add(self, series: Series, amount: float) -> None:
        """Raise a counter, which may be new."""

    def set(self, series: Series, value: float) -> None:
        """Set a gauge, which may be new."""


class Tally:
    """Counts of all that goes on in this process; several threads may count."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._added: dict[Series, float] = {}
        self._set: dict[Series, float] = {}
        self._asked: list[Callable[[], None]] = []

    def add(self, amount: float, *counters: Series) -> None:
        """Raise counters; one that is raised by 0 is there from then on."""
        with self._lock:
            for series in counters:
                self._added[series] = self._added.get(series, 0.0) + amount

    def set(self, series: Series, value: float) -> None:
        """Set a gauge."""
        with self._lock:
            self._set[series] = value

    def ask(self, tell: Callable[[], None]) -> None:
        """Let a gauge of what changes by itself be set before each publication, by `tell`."""
        self._asked.append(tell)

    def publish(self, sink: Sink) -> None:
        """Hand over what changed since this was called last."""
        for tell in self._asked:
            tell()
        with self._lock:
            added, self._added = self._added, {}
            values, self._set = self._set, {}
        for series, amount in added.items():
            sink.add(series, amount)
        for series, value in values.items():
            sink.set(series, value)


class StepTally:
    """What one version of a step counts; all its counters are there from the start, at 0.

    Args:
        tally: of the process.
        step: name of the model in Triton.
        model: the version, as answers name it.
    """

    def __init__(self, tally: Tally, step: str, model: str) -> None:
        self._tally = tally
        self._labels: Labels = (("step", step), ("model", model))
        self._catalogue: str | None = None
        self._known: dict[tuple[str, str], Series] = {}
        bucket, total, count = SECONDS.series
        self._buckets = [(bucket, (*self._labels, ("le", end))) for end in _ENDS]
        self._seconds, self._timed = (total, self._labels), (count, self._labels)
        self.took(0.0, 0)
        for metric in METRICS:
            if step in metric.steps and metric.kind is Kind.COUNTER:
                for value in metric.label[1] if metric.label else ("",):
                    self.count(metric, 0, value)

    def count(self, metric: ServerMetric, amount: float, value: str = "") -> None:
        """Raise a counter; `value` is that of the metric's own label."""
        self._tally.add(amount, self._series(metric, value))

    def took(self, seconds: float, requests: int) -> None:
        """Count requests that were answered together, and how long that took."""
        self._tally.add(requests, self._timed, *self._buckets[bisect_left(BUCKETS, seconds) :])
        self._tally.add(seconds * requests, self._seconds)

    def catalogue(self, version: str, items: int, written: float) -> None:
        """Say which catalogue is in use from now on.

        Args:
            version: its name.
            items: in it.
            written: when, in seconds since 1970.
        """
        if self._catalogue not in (None, version):
            self._tally.set(self._series(CATALOGUE, str(self._catalogue)), 0)
        self._catalogue = version
        self._tally.set(self._series(CATALOGUE, version), 1)
        self._tally.set(self._series(CATALOGUE_ITEMS), items)
        self._tally.set(self._series(CATALOGUE_WRITTEN), written)

    def _series(self, metric: ServerMetric, value: str = "") -> Series:
        # Kept, as a request needs a dozen of them.
        key = metric.name, value
        if key not in self._known:
            own: Labels = ((metric.label[0], value),) if metric.label else ()
            self._known[key] = metric.name, (*self._labels, *own)
        return self._known[key]
