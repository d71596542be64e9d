"""Counts of a step, kept in memory until they are published.

Triton's own counters live in another process, and each change of a counter is a message to it: far too slow
for every request. So a step counts here, and a thread hands over the sums now and then (`background.py`).
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

#: Names and values of labels.
Labels = tuple[tuple[str, str], ...]
#: The exposed name of a series, and its labels.
Series = tuple[str, Labels]

_ENDS = (*(f"{bound:g}" for bound in BUCKETS), "+Inf")


class Sink(Protocol):
    """A service that exposes metrics."""

    def add(self, series: Series, amount: float) -> None:
        """Increase a counter, which may be new."""

    def set(self, series: Series, value: float) -> None:
        """Set a gauge, which may be new."""


class Tally:
    """All counts of this process; several threads may add to them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._added: dict[Series, float] = {}
        self._set: dict[Series, float] = {}
        self._asked: list[Callable[[], None]] = []

    def add(self, amount: float, *counters: Series) -> None:
        """Increase counters; an amount of 0 creates a counter."""
        with self._lock:
            for series in counters:
                self._added[series] = self._added.get(series, 0.0) + amount

    def set(self, series: Series, value: float) -> None:
        """Set a gauge."""
        with self._lock:
            self._set[series] = value

    def ask(self, tell: Callable[[], None]) -> None:
        """Call `tell` before each publication, to set gauges of what changes without requests."""
        self._asked.append(tell)

    def publish(self, sink: Sink) -> None:
        """Hand over all changes since the last call."""
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
    """Counts of one version of a step; all its counters exist from the start, at 0.

    Args:
        tally: the counts of the process.
        step: name of the step's model in Triton.
        model: fingerprint of the export, as in answers.
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
        """Increase a counter; `value` is the value of the metric's own label."""
        self._tally.add(amount, self._series(metric, value))

    def took(self, seconds: float, requests: int) -> None:
        """Count requests that were answered together, and the seconds that this took."""
        self._tally.add(requests, self._timed, *self._buckets[bisect_left(BUCKETS, seconds) :])
        self._tally.add(seconds * requests, self._seconds)

    def catalogue(self, version: str, items: int, written: float) -> None:
        """Set the gauges of the catalogue that is in use from now on.

        Args:
            version: name of the catalogue version.
            items: number of its items.
            written: when it was written, in seconds since 1970.
        """
        if self._catalogue not in (None, version):
            self._tally.set(self._series(CATALOGUE, str(self._catalogue)), 0)
        self._catalogue = version
        self._tally.set(self._series(CATALOGUE, version), 1)
        self._tally.set(self._series(CATALOGUE_ITEMS), items)
        self._tally.set(self._series(CATALOGUE_WRITTEN), written)

    def _series(self, metric: ServerMetric, value: str = "") -> Series:
        # Cached, as each request needs a dozen of them.
        key = metric.name, value
        if key not in self._known:
            own: Labels = ((metric.label[0], value),) if metric.label else ()
            self._known[key] = metric.name, (*self._labels, *own)
        return self._known[key]
