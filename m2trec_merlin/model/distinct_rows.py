"""Each row of a batch once, without asking a GPU how many there are.

How many rows differ is known to the device alone, and waiting for it at every step is what a step then costs.
So on a GPU as many rows come back as went in, and those that repeat another one stand for nothing.

Shape legend: n rows.
"""

from __future__ import annotations

import torch
from torch import Tensor

from m2trec_merlin.encoded import NO_ITEM


def distinct_rows(rows: Tensor) -> Tensor:
    """Return rows, int64 [n], in ascending order: each once, or on a GPU as often as it was given.

    `torch.searchsorted` finds the first of equals, which is the one that counts: see `once`.
    """
    return rows.unique() if rows.device.type == "cpu" else rows.sort().values


def once(rows: Tensor) -> Tensor:
    """Return ascending rows with NO_ITEM in the place of those that repeat the one before."""
    if rows.device.type == "cpu":
        return rows
    repeats = torch.nn.functional.pad(rows[1:] == rows[:-1], (1, 0))
    return rows.masked_fill(repeats, NO_ITEM)


def without(rows: Tensor, others: Tensor) -> Tensor:
    """Return rows that are not among the others; on a GPU NO_ITEM stands in the place of those that are.

    Args:
        rows: distinct, ascending.
        others: ascending, one at least.
    """
    if rows.device.type == "cpu":
        return rows[~torch.isin(rows, others, assume_unique=True)]
    places = torch.searchsorted(others, rows).clamp(max=len(others) - 1)
    return rows.masked_fill(others[places] == rows, NO_ITEM)
