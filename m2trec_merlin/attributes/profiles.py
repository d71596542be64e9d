"""What the raw values of an attribute look like, for a person who has to judge them."""

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
    """What is worth saying of the known values of an attribute, apart from how many there are.

    Attributes:
        frequent: the most frequent values, each with the number of items that have it.
        quantiles: by share of the items, the number below which so many lie.
        lengths: the same of what an item has several of.
        counted: what that is: the words of a text, or the values of a list.
        too_long: items of more words or values than `max_tokens`, of which the rest is cut. Texts are cut at
            so many subwords, of which a word has at least one.
    """

    frequent: list[tuple[str, int]] = field(default_factory=list)
    quantiles: dict[str, float] = field(default_factory=dict)
    lengths: dict[str, float] = field(default_factory=dict)
    counted: str = ""
    too_long: int | None = None


def most_frequent(values: pa.Array, counts: np.ndarray) -> list[tuple[str, int]]:
    """Return the most frequent of distinct texts, ties in the order in which they come."""
    order = np.argsort(-counts, kind="stable")[:_SHOWN]
    shown = values.take(pa.array(order)).to_pylist()
    return [
        (shorten(value, _LONGEST_SHOWN, "…"), int(counts[i])) for value, i in zip(shown, order, strict=True)
    ]


def quantiles(numbers: np.ndarray, counts: np.ndarray) -> dict[str, float]:
    """Return quantiles of numbers, each of which so many items have; none of nothing."""
    if not counts.sum():
        return {}
    found = weighted_quantiles(numbers, counts, _QUANTILES)
    return {f"{share:g}": float(value) for share, value in zip(_QUANTILES, found, strict=True)}


def weighted_quantiles(
    numbers: np.ndarray, counts: np.ndarray, shares: Sequence[float] | np.ndarray
) -> np.ndarray:
    """Return the least numbers up to which such shares lie, where each number occurs so many times."""
    order = np.argsort(numbers, kind="stable")
    reached = np.cumsum(counts[order])
    ranks = np.ceil(np.array(shares) * reached[-1]).clip(1)
    found: np.ndarray = numbers[order][np.searchsorted(reached, ranks)]
    return found


def count_words(texts: pa.Array) -> np.ndarray:
    """Return how many runs of letters and digits each text has, int64; it has so many subwords at least."""
    return pc.count_substring_regex(texts, _WORD).to_numpy(zero_copy_only=False).astype(np.int64)
