"""Conversion of batches of the Merlin loader and of Transformers4Rec.

Transformers4Rec pads ragged columns before a model sees them. This is the only place that reads padding, and
that has to infer session lengths from it.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from merlin.schema import ColumnSchema, Schema, Tags
from torch import Tensor

from m2trec_merlin.encoded import NO_ITEM, OFFSETS, VALUES
from m2trec_merlin.model.session_batch import SessionBatch

#: The only column of a batch: catalogue rows, which are pointers into the catalogue rather than features.
ROW = "row"


def input_schema(n_rows: int, max_length: int) -> Schema:
    """Return the Merlin schema of a batch: one ragged list of catalogue rows."""
    properties = {
        "domain": {"min": 0, "max": n_rows - 1, "name": ROW},
        "value_count": {"min": 1, "max": max_length},
    }
    return Schema(
        [
            ColumnSchema(
                ROW, dtype="int64", is_list=True, is_ragged=True, tags=[Tags.LIST], properties=properties
            )
        ]
    )


def read_batch(inputs: Mapping[str, Tensor], max_length: int) -> SessionBatch:
    """Convert a batch of Transformers4Rec or of a Merlin loader.

    Args:
        inputs: `row__values` and `row__offsets`, a ragged list; or `row`, int64 [B, L], right-padded with
            NO_ITEM. A padded session ends with its last known item; NO_ITEM before it is an event of an
            unknown item.
        max_length: maximum session length; longer sessions keep their last events.
    """
    if f"{ROW}{OFFSETS}" in inputs:
        rows = inputs[f"{ROW}{VALUES}"].flatten().long()
        lengths = inputs[f"{ROW}{OFFSETS}"].flatten().long().diff()
    else:
        rows_BL = inputs[ROW]
        places = torch.arange(1, rows_BL.shape[1] + 1, device=rows_BL.device)
        lengths = torch.where(rows_BL != NO_ITEM, places, 1).amax(1)
        rows = rows_BL[places <= lengths.unsqueeze(1)]
    return _last_events(SessionBatch(rows, lengths, int(lengths.max())), max_length)


def _last_events(batch: SessionBatch, max_length: int) -> SessionBatch:
    if batch.longest <= max_length:
        return batch
    distance = batch.lengths[batch.packing.session] - batch.packing.position
    return SessionBatch(batch.rows[distance <= max_length], batch.lengths.clamp(max=max_length), max_length)
