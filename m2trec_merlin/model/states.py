"""What the body hands to the tasks: session vectors of prefixes, and everything about their targets.

Shape legend: P prefixes, D width, U distinct rows of the batch, R (prefix, item) pairs.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from m2trec_merlin.model.item_vectors import ItemVectors
from m2trec_merlin.model.layout import Packing


@dataclass
class SessionStates:
    """Session vectors and what they are compared with.

    Attributes:
        vectors: float32 [P, D].
        targets: int64 [P], catalogue row of the next item; 0 where there is none (serving).
        rows: int64 [U], distinct catalogue rows of the batch, ascending.
        items: their item vectors.
        history: the items each prefix holds.
    """

    vectors: Tensor
    targets: Tensor
    rows: Tensor
    items: ItemVectors
    history: History


@dataclass(frozen=True)
class History:
    """Pairs (prefix, item of that prefix), each item once at its most recent occurrence.

    Attributes:
        prefix: int64 [R], index of the prefix, ascending.
        rows: int64 [R], catalogue row of the item.
        distance: int64 [R], events between the end of the prefix and the item: 0 is the last event.
    """

    prefix: Tensor
    rows: Tensor
    distance: Tensor


def prefix_history(rows_BL: Tensor, packing: Packing, events: Tensor) -> History:
    """List the items of the prefixes that end at the given events.

    Args:
        rows_BL: catalogue rows, right-padded with 0.
        packing: layout of the batch.
        events: int64 [P], index among the packed events of the last event of each prefix.
    """
    longest = rows_BL.shape[1]
    steps = torch.arange(longest, device=rows_BL.device)
    same_later_BLL = (rows_BL.unsqueeze(2) == rows_BL.unsqueeze(1)) & (steps > steps.unsqueeze(1))
    again_BL = torch.where(same_later_BLL, steps, longest).amin(2)
    session, end = packing.session[events], packing.position[events]
    recent_PL = (steps <= end.unsqueeze(1)) & (again_BL[session] > end.unsqueeze(1))
    prefix, step = recent_PL.nonzero(as_tuple=True)
    return History(prefix, rows_BL[session[prefix], step], end[prefix] - step)
