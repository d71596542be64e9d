"""The metrics that a server exposes, in Prometheus' terms: one table for runtime, boards and alert rules.

Rates and ratios are left to queries: counters only rise, and several workers add to the same ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from m2trec_merlin.contract.names import PREDICT, PREPROCESS


class Kind(Enum):
    """Type of a metric."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True)
class ServerMetric:
    """A metric; each has the labels `step` and `model`, the fingerprint of the export that answers.

    Attributes:
        name: name in Prometheus.
        kind: type; a histogram is three counters: `_bucket` with the label `le`, `_sum` and `_count`.
        meaning: description in one line.
        steps: names of the steps that expose it.
        label: name of a third label, if it has one, and its values as far as they are known in advance.
    """

    name: str
    kind: Kind
    meaning: str
    steps: tuple[str, ...]
    label: tuple[str, tuple[str, ...]] | None = None

    @property
    def series(self) -> tuple[str, ...]:
        """Names of the exposed series."""
        ends = ("_bucket", "_sum", "_count") if self.kind is Kind.HISTOGRAM else ("",)
        return tuple(f"{self.name}{end}" for end in ends)


#: Upper bounds of a histogram's buckets in seconds; one more bucket has no upper bound.
BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)

_BOTH, _FIRST, _SECOND = (PREPROCESS, PREDICT), (PREPROCESS,), (PREDICT,)

ANSWERED, REFUSED, FAILED = "answered", "refused", "failed"
REQUESTS = ServerMetric(
    "m2trec_requests_total",
    Kind.COUNTER,
    "Requests that a step answered, refused, or failed at by its own fault",
    _BOTH,
    ("outcome", (ANSWERED, REFUSED, FAILED)),
)
SECONDS = ServerMetric(
    "m2trec_step_seconds", Kind.HISTOGRAM, "Seconds that the batch of a request took in a step", _BOTH
)
IDS = ServerMetric("m2trec_ids_total", Kind.COUNTER, "Item ids that sessions held", _FIRST)
UNKNOWN_IDS = ServerMetric(
    "m2trec_unknown_ids_total", Kind.COUNTER, "Of these ids not in the catalogue", _FIRST
)
RAW_ITEMS = ServerMetric(
    "m2trec_raw_items_total", Kind.COUNTER, "Items of sessions that were encoded from raw attributes", _FIRST
)
FALLBACKS = ServerMetric(
    "m2trec_fallback_answers_total",
    Kind.COUNTER,
    "Answers with the most frequent items, as nothing in the session could be used",
    _SECOND,
)
EMPTY = ServerMetric("m2trec_empty_answers_total", Kind.COUNTER, "Answers without any item", _SECOND)
RECOMMENDED = ServerMetric("m2trec_recommended_total", Kind.COUNTER, "Items recommended", _SECOND)
RECOMMENDED_NEW = ServerMetric(
    "m2trec_recommended_new_total", Kind.COUNTER, "Of these items without training history", _SECOND
)
DROPPED = ServerMetric(
    "m2trec_log_dropped_total",
    Kind.COUNTER,
    "Entries that a log lost: they came faster than they could be written, or could not be written",
    _BOTH,
    ("log", ("lines", "shown")),
)
CATALOGUE = ServerMetric(
    "m2trec_catalogue_info",
    Kind.GAUGE,
    "1 for the catalogue that is in use, 0 for those before it",
    _SECOND,
    ("catalogue", ()),
)
CATALOGUE_ITEMS = ServerMetric("m2trec_catalogue_items", Kind.GAUGE, "Items of the catalogue", _SECOND)
CATALOGUE_WRITTEN = ServerMetric(
    "m2trec_catalogue_written_timestamp_seconds",
    Kind.GAUGE,
    "When the catalogue was written, in seconds since 1970; time() - this is its age",
    _SECOND,
)

METRICS = (
    REQUESTS,
    SECONDS,
    IDS,
    UNKNOWN_IDS,
    RAW_ITEMS,
    FALLBACKS,
    EMPTY,
    RECOMMENDED,
    RECOMMENDED_NEW,
    DROPPED,
    CATALOGUE,
    CATALOGUE_ITEMS,
    CATALOGUE_WRITTEN,
)
