"""Slices: parts of the prefixes that are reported separately. Every table shows those in `SLICES`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from m2trec_merlin.arrays import offsets_of
from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.config import EvaluationConfig
from m2trec_merlin.sessions import Prefixes, Sessions

#: Name of the slice of all prefixes.
ALL = "All"

Mask = Callable[[Prefixes, Catalogue, EvaluationConfig], np.ndarray]


@dataclass(frozen=True)
class Slice:
    """A named part of the prefixes.

    Attributes:
        name: heading of its columns.
        meaning: a description of its prefixes; `{tail}` stands for the threshold of tail items.
        mask: function of prefixes, catalogue and settings that selects prefixes, bool [P].
    """

    name: str
    meaning: str
    mask: Mask


def all_prefixes(prefixes: Prefixes, catalogue: Catalogue, config: EvaluationConfig) -> np.ndarray:
    """Select all prefixes."""
    return np.ones(len(prefixes), dtype=bool)


def sparse(prefixes: Prefixes, catalogue: Catalogue, config: EvaluationConfig) -> np.ndarray:
    """Select the prefixes of sessions that hold a tail item anywhere, in the prefix or after it."""
    tail = catalogue.train_counts[prefixes.sessions.rows] < config.sparse_below
    return _any_of_session(prefixes.sessions, tail)[prefixes.session]


def tail_target(prefixes: Prefixes, catalogue: Catalogue, config: EvaluationConfig) -> np.ndarray:
    """Select the prefixes whose next item is a tail item, including items never seen in training."""
    return np.asarray(catalogue.train_counts[prefixes.targets] < config.sparse_below)


def rare_target(prefixes: Prefixes, catalogue: Catalogue, config: EvaluationConfig) -> np.ndarray:
    """Select the prefixes whose next item is a tail item that was seen in training."""
    return tail_target(prefixes, catalogue, config) & ~cold_target(prefixes, catalogue, config)


def cold_target(prefixes: Prefixes, catalogue: Catalogue, config: EvaluationConfig) -> np.ndarray:
    """Select the prefixes whose next item has no training occurrence."""
    return np.asarray(catalogue.train_counts[prefixes.targets] == 0)


#: The slices of every table, in order.
SLICES: tuple[Slice, ...] = (
    Slice(ALL, "every prefix", all_prefixes),
    Slice("Sparse", "the session holds an item with fewer than {tail} training occurrences", sparse),
    Slice("Tail target", "the next item has fewer than {tail} training occurrences (or none)", tail_target),
    Slice("Rare target", "the next item has training occurrences, but fewer than {tail}", rare_target),
    Slice("Cold target", "the next item has no training occurrence", cold_target),
)

#: First number of training occurrences of each bar of the breakdown by popularity.
OCCURRENCES = (0, 1, 3, 10, 30, 100, 300, 1000)

#: First length of each bar of the breakdown by prefix length.
LENGTHS = (1, 2, 3, 4, 5, 7, 10, 15)


def occurrence_slices() -> tuple[Slice, ...]:
    """Return disjoint slices by the number of training occurrences of the next item."""
    return _ranges(OCCURRENCES, "training occurrences", lambda p, c: c.train_counts[p.targets])


def length_slices() -> tuple[Slice, ...]:
    """Return disjoint slices by the number of events in the prefix."""
    return _ranges(LENGTHS, "events in the prefix", lambda p, c: p.length)


def _ranges(
    starts: tuple[int, ...], meaning: str, number: Callable[[Prefixes, Catalogue], np.ndarray]
) -> tuple[Slice, ...]:
    ends = [*starts[1:], None]
    return tuple(
        Slice(_label(low, high), f"{_label(low, high)} {meaning}", _between(low, high, number))
        for low, high in zip(starts, ends, strict=True)
    )


def _between(low: int, high: int | None, number: Callable[[Prefixes, Catalogue], np.ndarray]) -> Mask:
    def mask(prefixes: Prefixes, catalogue: Catalogue, config: EvaluationConfig) -> np.ndarray:
        value = number(prefixes, catalogue)
        return (value >= low) if high is None else (value >= low) & (value < high)

    return mask


def _label(low: int, high: int | None) -> str:
    if high is None:
        return f"{low:,}+"
    return f"{low:,}" if high == low + 1 else f"{low:,}-{high - 1:,}"


def _any_of_session(sessions: Sessions, events: np.ndarray) -> np.ndarray:
    counts = offsets_of(events)
    return (counts[sessions.offsets[1:]] - counts[sessions.offsets[:-1]]) > 0
