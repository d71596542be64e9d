"""Distinct rows of a batch, without waiting for a GPU.

Only the device knows how many rows differ, and waiting for that number would dominate the time of a step.
So on a GPU as many rows are returned as were given, and repeated ones are marked to be ignored.

Shape legend: n rows.
"""

from __future__ import annotations

import torch
from torch import Tensor

from m2trec_merlin.encoded import NO_ITEM


def distinct_rows(rows: Tensor) -> Tensor:
    """Return rows, int64 [n], in ascending order: each once, or on a GPU as often as it was given.

    `torch.searchsorted` finds the first of equal rows, which is the one that `once` keeps.
    """
    return rows.unique() if rows.device.type == "cpu" else rows.sort().values


def once(rows: Tensor) -> Tensor:
    """Replace each row that repeats the one before, in ascending rows, by NO_ITEM."""
    if rows.device.type == "cpu":
        return rows
    repeats = torch.nn.functional.pad(rows[1:] == rows[:-1], (1, 0))
    return rows.masked_fill(repeats, NO_ITEM)


def without(rows: Tensor, others: Tensor) -> Tensor:
    """Return the rows that are not among the others; on a GPU, rows that are become NO_ITEM instead.

    Args:
        rows: distinct rows, ascending.
        others: rows to exclude, ascending, at least one.
    """
    if rows.device.type == "cpu":
        return rows[~torch.isin(rows, others, assume_unique=True)]
    places = torch.searchsorted(others, rows).clamp(max=len(others) - 1)
    return rows.masked_fill(others[places] == rows, NO_ITEM)
