"""Encoded attributes of items as ragged arrays: what travels between the two steps of the ensemble.

`NAME` for single values: int64 [n] (categorical), float32 [n] (numeric), float32 [n, size] (vector).
`NAME__values` int64 [V] and `NAME__offsets` int64 [n + 1] for lists (text, multi_categorical).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

EncodedItems = dict[str, np.ndarray]

VALUES, OFFSETS = "__values", "__offsets"
_LIST_KINDS = ("text", "multi_categorical")


@dataclass(frozen=True)
class Attribute:
    """An attribute that the model reads, as far as serving has to know it.

    Attributes:
        name: of the attribute.
        kind: text, categorical, multi_categorical, numeric or vector.
        column: the raw column it is made from.
        size: length of a vector; 0 for the other kinds.
    """

    name: str
    kind: str
    column: str
    size: int = 0

    @property
    def tensors(self) -> dict[str, np.ndarray]:
        """Its tensors for no item at all, by name: they show types and shapes."""
        if self.kind in _LIST_KINDS:
            return {
                f"{self.name}{VALUES}": np.zeros(0, np.int64),
                f"{self.name}{OFFSETS}": np.zeros(1, np.int64),
            }
        if self.kind == "vector":
            return {self.name: np.zeros((0, self.size), np.float32)}
        return {self.name: np.zeros(0, np.int64 if self.kind == "categorical" else np.float32)}


def no_items(attributes: Sequence[Attribute]) -> EncodedItems:
    """Return the encoded form of no items."""
    return {name: array for attribute in attributes for name, array in attribute.tensors.items()}


def join_items(parts: Sequence[EncodedItems]) -> EncodedItems:
    """Put the items of several groups, one at least, behind each other."""
    joined = {}
    for name in parts[0]:
        arrays = [part[name] for part in parts]
        if name.endswith(OFFSETS):
            lengths = np.concatenate([np.diff(array) for array in arrays])
            joined[name] = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        else:
            joined[name] = np.concatenate(arrays)
    return joined


def split_items(items: EncodedItems, counts: Sequence[int]) -> list[EncodedItems]:
    """Cut into groups of `counts` items each, in order: the reverse of `join_items`."""
    bounds = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return [_slice(items, int(start), int(stop)) for start, stop in pairwise(bounds)]


def _slice(items: EncodedItems, start: int, stop: int) -> EncodedItems:
    part = {}
    for name, array in items.items():
        if name.endswith(OFFSETS):
            part[name] = array[start : stop + 1] - array[start]
        elif name.endswith(VALUES):
            offsets = items[name.removesuffix(VALUES) + OFFSETS]
            part[name] = array[offsets[start] : offsets[stop]]
        else:
            part[name] = array[start:stop]
    return part
