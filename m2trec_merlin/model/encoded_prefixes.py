"""What the body hands to the tasks: session vectors of prefixes, their items, and their targets.

Shape legend: P prefixes, D width, U distinct rows of the batch, M (prefix, item) pairs, B sessions, L longest
session, E events in all.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from m2trec_merlin.encoded import NO_ITEM
from m2trec_merlin.model.item_vectors import ItemVectors
from m2trec_merlin.model.session_batch import SessionBatch, prefix_pairs


@dataclass(frozen=True)
class EncodedPrefixes:
    """Prefixes of a batch, and what they are compared with.

    Attributes:
        vectors: float32 [P, D], session vectors.
        targets: int64 [P], catalogue row of the next item; NO_ITEM where none is asked for (serving).
        rows: int64 [U], distinct catalogue rows of the prefixes and their targets, ascending; see
            `distinct_rows`.
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
    """Pairs (prefix, known item of that prefix), each item once at its most recent occurrence.

    Attributes:
        prefix: int64 [M], index of the prefix, ascending.
        rows: int64 [M], catalogue row of the item; NO_ITEM marks what is no pair (on a GPU, which is not
            asked how many pairs there are).
        distance: int64 [M], events between the end of the prefix and the item: 0 is the last event.
    """

    prefix: Tensor
    rows: Tensor
    distance: Tensor


def prefix_history(batch: SessionBatch, ends: Tensor, n_pairs: int | None = None) -> History:
    """List the items of some prefixes.

    Args:
        batch: the sessions they are prefixes of.
        ends: int64 [P], the last event of each, its index among the E events.
        n_pairs: events of all these prefixes together, where the host knows it.
    """
    rows_BL = batch.packing.pad(batch.rows)
    longest = rows_BL.shape[1]
    steps = torch.arange(longest, device=rows_BL.device)
    same_later_BLL = (rows_BL.unsqueeze(2) == rows_BL.unsqueeze(1)) & (steps > steps.unsqueeze(1))
    again_BL = torch.where(same_later_BLL, steps, longest).amin(2)
    # An item counts until it comes again: an unknown one never does.
    again_E = batch.packing.pack(again_BL.masked_fill(rows_BL == NO_ITEM, 0))
    end_P = batch.packing.position[ends]
    prefix, distance = prefix_pairs(end_P + 1, n_pairs)
    if distance.device.type != "cpu":
        is_pair, distance = distance >= 0, distance.clamp(min=0)
        event = ends[prefix] - distance
        recent = is_pair & (again_E[event] > end_P[prefix])
        return History(prefix, torch.where(recent, batch.rows[event], NO_ITEM), distance)
    event = ends[prefix] - distance
    recent = again_E[event] > end_P[prefix]
    return History(prefix[recent], batch.rows[event[recent]], distance[recent])
