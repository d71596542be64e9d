"""Summaries of the raw values of an attribute, for a person to judge them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from m2trec_merlin.errors import shorten

_SHOWN = 10
_LONGEST_SHOWN = 80
_QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
_WORD = r"[\pL\pM\pN_]+"


@dataclass(frozen=True)
class Profile:
    """A summary of the known values of an attribute, apart from their number.

    Attributes:
        frequent: the most frequent values, each with the number of items that have it.
        quantiles: the quantiles of a number over items, by share as text ("0.05").
        lengths: the quantiles of the number of words or values per item, likewise.
        counted: what `lengths` counts: "words" of a text, or "values" of a list.
        too_long: the number of items with more words or values than `max_tokens`, so that some are cut off.
            For texts this is a lower bound: `max_tokens` counts subwords, and a word has at least one.
    """

    frequent: list[tuple[str, int]] = field(default_factory=list)
    quantiles: dict[str, float] = field(default_factory=dict)
    lengths: dict[str, float] = field(default_factory=dict)
    counted: str = ""
    too_long: int | None = None


def most_frequent(values: pa.Array, counts: np.ndarray) -> list[tuple[str, int]]:
    """Return the most frequent of distinct texts with their counts; ties keep their order."""
    order = np.argsort(-counts, kind="stable")[:_SHOWN]
    shown = values.take(pa.array(order)).to_pylist()
    return [
        (shorten(value, _LONGEST_SHOWN, "…"), int(counts[i])) for value, i in zip(shown, order, strict=True)
    ]


def quantiles(numbers: np.ndarray, counts: np.ndarray) -> dict[str, float]:
    """Return quantiles of numbers, each weighted by its count of items; empty if there are no items."""
    if not counts.sum():
        return {}
    found = weighted_quantiles(numbers, counts, _QUANTILES)
    return {f"{share:g}": float(value) for share, value in zip(_QUANTILES, found, strict=True)}


def weighted_quantiles(
    numbers: np.ndarray, counts: np.ndarray, shares: Sequence[float] | np.ndarray
) -> np.ndarray:
    """Return, for each share, the least number up to which this share of the counted numbers lies."""
    order = np.argsort(numbers, kind="stable")
    reached = np.cumsum(counts[order])
    ranks = np.ceil(np.array(shares) * reached[-1]).clip(1)
    found: np.ndarray = numbers[order][np.searchsorted(reached, ranks)]
    return found


def count_words(texts: pa.Array) -> np.ndarray:
    """Count the runs of letters and digits of each text, int64: a lower bound of its number of subwords."""
    return pc.count_substring_regex(texts, _WORD).to_numpy(zero_copy_only=False).astype(np.int64)
