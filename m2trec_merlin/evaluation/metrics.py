"""The metrics, each a function from an outcome to one value per prefix; reports give the mean.

For a prefix, let t be the immediate next item, R the set of distinct items that remain in the session
(t among them), and top(K) the items of rank at most K. Ties count against the scorer:
rank(i) = 1 + the number of other candidates whose score is at least i's. An item that is no candidate,
or that the catalogue lacks, is in no top(K).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from m2trec_merlin.errors import ConfigError
from m2trec_merlin.evaluation.outcomes import UNMEASURED, ItemRanks, Outcome


@dataclass(frozen=True)
class Metric:
    """A metric on items.

    Attributes:
        name: the metric's name, without the cut-off.
        formula: its value for one prefix, in words.
        values: function of an outcome and one of its cut-offs that returns values, float32 [P].
    """

    name: str
    formula: str
    values: Callable[[Outcome, int], np.ndarray]


def hit(outcome: Outcome, k: int) -> np.ndarray:
    """Return HIT@K = 1 if rank(t) <= K, else 0."""
    return (_items(outcome).target <= k).astype(np.float32)


def reciprocal_rank(outcome: Outcome, k: int) -> np.ndarray:
    """Return MRR@K = 1 / rank(t) if rank(t) <= K, else 0."""
    target = _items(outcome).target
    return np.where(target <= k, 1.0 / target, 0.0).astype(np.float32)


def discounted_gain(outcome: Outcome, k: int) -> np.ndarray:
    """Return NDCG@K = 1 / log2(1 + rank(t)) if rank(t) <= K, else 0; the ideal is 1, only t is relevant."""
    target = _items(outcome).target
    return np.where(target <= k, 1 / np.log2(1.0 + target), 0.0).astype(np.float32)


def hit_and_mrr(outcome: Outcome, k: int) -> tuple[float, float]:
    """Return HIT@K and MRR@K over all prefixes of an outcome."""
    values = (hit(outcome, k), reciprocal_rank(outcome, k))
    hits, reciprocals = (float(v.mean(dtype=np.float64)) for v in values)
    return hits, reciprocals


def recall(outcome: Outcome, k: int) -> np.ndarray:
    """Return Recall@K = |top(K) and R| / |R|: the share of the remaining items that is found."""
    items = _items(outcome)
    return (items.found[:, _column(outcome, k)] / items.remaining).astype(np.float32)


def hit_remaining(outcome: Outcome, k: int) -> np.ndarray:
    """Return HitRemaining@K = 1 if top(K) and R share an item, else 0."""
    return (_items(outcome).found[:, _column(outcome, k)] > 0).astype(np.float32)


def category_hit(ranks: np.ndarray, k: int) -> np.ndarray:
    """Return category HIT@K = 1 if the category of t has rank at most K among all categories, else 0.

    NaN, which no mean counts, if t has no category.
    """
    return np.where(ranks == UNMEASURED, np.nan, ranks <= k).astype(np.float32)


#: The metrics on items, in the order of the tables.
METRICS: tuple[Metric, ...] = (
    Metric("HIT", "1 if the next item is among the top K, else 0", hit),
    Metric("MRR", "1 / rank of the next item if it is among the top K, else 0", reciprocal_rank),
    Metric("NDCG", "1 / log2(1 + rank of the next item) if it is among the top K, else 0", discounted_gain),
    Metric("Recall", "share of the distinct remaining items that are among the top K", recall),
    Metric("HitRemaining", "1 if any remaining item is among the top K, else 0", hit_remaining),
)


@dataclass(frozen=True)
class MetricAt:
    """A metric with its cut-off, such as HIT@20."""

    metric: Metric
    k: int

    @classmethod
    def parse(cls, text: str) -> MetricAt:
        """Parse a metric and its cut-off, as in HIT@20.

        Raises:
            ConfigError: there is no such metric.
        """
        match = re.fullmatch(r"(\w+)@([1-9]\d{0,3})", text)
        found = next((metric for metric in METRICS if match and metric.name == match[1]), None)
        if match is None or found is None:
            names = ", ".join(f"{metric.name}@K" for metric in METRICS)
            raise ConfigError(f"metric '{text}': expected one of {names}, as in HIT@20")
        return cls(found, int(match[2]))

    def __str__(self) -> str:
        return f"{self.metric.name}@{self.k}"

    def values(self, outcome: Outcome) -> np.ndarray:
        """Return the value of each prefix of an outcome, float64 [P]."""
        return self.metric.values(outcome, self.k).astype(np.float64)


def category_metric(attribute: str) -> str:
    """Return the name of an attribute's category HIT in reports."""
    return f"HIT[{attribute}]"


def measure(outcome: Outcome) -> Iterator[tuple[str, int, np.ndarray]]:
    """Yield name, cut-off and values (float32 [P]) of every metric that an outcome allows."""
    if outcome.items is not None:
        for metric in METRICS:
            for k in outcome.ks:
                yield metric.name, k, metric.values(outcome, k)
    for attribute, ranks in outcome.categories.items():
        for k in outcome.ks:
            yield category_metric(attribute), k, category_hit(ranks, k)


def _items(outcome: Outcome) -> ItemRanks:
    if outcome.items is None:
        raise ValueError(f"{outcome.model} ranks categories only, so it has no metric on items")
    return outcome.items


def _column(outcome: Outcome, k: int) -> int:
    if k not in outcome.ks:
        raise ValueError(f"K = {k} was not counted; the outcome holds {list(outcome.ks)}")
    return outcome.ks.index(k)
