"""The body's output, and the tasks' input: session vectors of prefixes, their items, and their targets.

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
    """Session vectors of a batch's prefixes, with the batch's items.

    Attributes:
        vectors: session vectors, float32 [P, D].
        targets: catalogue row of the next item, int64 [P]; NO_ITEM where there is no target.
        rows: distinct catalogue rows of the prefixes and their targets, ascending, int64 [U]; see
            `distinct_rows`.
        items: item vectors of `rows`.
        history: the items that each prefix holds.
    """

    vectors: Tensor
    targets: Tensor
    rows: Tensor
    items: ItemVectors
    history: History


@dataclass(frozen=True)
class History:
    """Pairs of a prefix and a known item in it, each item once at its most recent occurrence.

    Attributes:
        prefix: index of the prefix, ascending, int64 [M].
        rows: catalogue row of the item, int64 [M]; NO_ITEM marks entries to be ignored (on a GPU, where
            counting the pairs would mean waiting).
        distance: number of events between the item and the prefix's end, int64 [M]; 0 for the last event.
    """

    prefix: Tensor
    rows: Tensor
    distance: Tensor


def prefix_history(batch: SessionBatch, ends: Tensor, n_pairs: int | None = None) -> History:
    """List the items of some prefixes.

    Args:
        batch: the sessions that the prefixes belong to.
        ends: index of each prefix's last event among the E events, int64 [P].
        n_pairs: number of events of all these prefixes together, if the host knows it.
    """
    rows_BL = batch.packing.pad(batch.rows)
    longest = rows_BL.shape[1]
    steps = torch.arange(longest, device=rows_BL.device)
    same_later_BLL = (rows_BL.unsqueeze(2) == rows_BL.unsqueeze(1)) & (steps > steps.unsqueeze(1))
    again_BL = torch.where(same_later_BLL, steps, longest).amin(2)
    # An event counts in all prefixes that end before its item comes again; an unknown item never counts.
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
