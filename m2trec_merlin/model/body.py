"""The body of the model: sessions of catalogue rows in, session vectors of prefixes out.

Shape legend: B sessions, L longest session, E events, P prefixes, U distinct rows, I item width, D width.
"""

from __future__ import annotations

import torch
from merlin.schema import ColumnSchema, Schema, Tags
from torch import Tensor, nn
from transformers4rec.torch.block.base import BlockBase

from m2trec_merlin.model.catalogue_tensors import CatalogueTensors
from m2trec_merlin.model.item_encoder import ItemEncoder
from m2trec_merlin.model.item_vectors import ItemVectors
from m2trec_merlin.model.layout import Packing
from m2trec_merlin.model.session_encoder import SessionEncoder
from m2trec_merlin.model.states import SessionStates, prefix_history

#: The one column of the sessions: catalogue rows, pointers into the catalogue rather than features.
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


class CatalogueInput(nn.Module):
    """The input block: turns catalogue rows into item vectors.

    Attributes:
        schema: Merlin schema of what the model is fed.
    """

    def __init__(self, catalogue: CatalogueTensors, item_encoder: ItemEncoder, schema: Schema) -> None:
        super().__init__()
        self.catalogue = catalogue
        self.item_encoder = item_encoder
        self.schema = schema

    def forward(self, rows: Tensor) -> ItemVectors:
        """Item vectors of catalogue rows, int64 [n]."""
        items: ItemVectors = self.item_encoder(self.catalogue(rows))
        return items


class SessionBody(BlockBase):
    """Encodes the distinct items of a batch once, then all sessions."""

    def __init__(self, inputs: CatalogueInput, session_encoder: SessionEncoder) -> None:
        super().__init__()
        self.inputs = inputs
        self.session_encoder = session_encoder

    def output_size(self, input_size: object = None) -> torch.Size:
        """[P, D], as Transformers4Rec asks for it."""
        return torch.Size([-1, self.session_encoder.width])

    def forward_output_size(self, input_size: object) -> torch.Size:
        """See `output_size`."""
        return self.output_size()

    def forward(
        self, inputs: dict[str, Tensor], training: bool = False, testing: bool = False
    ) -> SessionStates:
        """Encode a batch.

        Args:
            inputs: `row`, int64 [B, L], right-padded with 0.
            training: return a vector for every prefix that has a next item.
            testing: likewise.

        Returns:
            Vectors of all prefixes with their targets, session by session; without `training` and
            `testing` one vector per session, after its last event.
        """
        rows_BL = inputs[ROW]
        if not training and not testing:
            return self.encode_sessions(rows_BL)
        if self.session_encoder.causal:
            return self._encode_prefixes_in_one_pass(rows_BL)
        prefixes_PL, targets = expand_prefixes(rows_BL)
        states = self.encode_sessions(prefixes_PL, also=targets)
        states.targets = targets
        return states

    def encode_sessions(self, rows_BL: Tensor, also: Tensor | None = None) -> SessionStates:
        """Session vectors after the last event; distinct rows cover `also`."""
        lengths = (rows_BL != 0).sum(1)
        packing = Packing.of(lengths, rows_BL.shape[1])
        rows, items, x_EI = self._encode_items(packing.pack(rows_BL), also)
        x_ED = self.session_encoder(x_EI, packing)
        vectors = self.session_encoder.pool_sessions(packing.pad(x_ED), lengths)
        ends = lengths.cumsum(0) - 1
        history = prefix_history(rows_BL, packing, ends)
        return SessionStates(vectors, torch.zeros_like(ends), rows, items, history)

    def _encode_prefixes_in_one_pass(self, rows_BL: Tensor) -> SessionStates:
        packing = Packing.of((rows_BL != 0).sum(1), rows_BL.shape[1])
        rows_E = packing.pack(rows_BL)
        rows, items, x_EI = self._encode_items(rows_E)
        x_ED = self.session_encoder.pool_prefixes(self.session_encoder(x_EI, packing), packing)
        has_next = packing.position + 1 < packing.lengths[packing.session]
        events = has_next.nonzero().squeeze(1)
        history = prefix_history(rows_BL, packing, events)
        return SessionStates(x_ED[events], rows_E[events + 1], rows, items, history)

    def _encode_items(self, rows_E: Tensor, also: Tensor | None = None) -> tuple[Tensor, ItemVectors, Tensor]:
        """Encode each distinct row once, then hand the vectors to the events."""
        rows = (rows_E if also is None else torch.cat([rows_E, also])).unique()
        items: ItemVectors = self.inputs(rows)
        return rows, items, items.take(torch.searchsorted(rows, rows_E)).described


def expand_prefixes(rows_BL: Tensor) -> tuple[Tensor, Tensor]:
    """Make every prefix a session of its own (bidirectional mode, as in the paper).

    Args:
        rows_BL: int64, right-padded with 0.

    Returns:
        Prefixes, int64 [P, L - 1], and their targets, int64 [P].
    """
    longest = rows_BL.shape[1]
    session, position = (rows_BL[:, 1:] != 0).nonzero(as_tuple=True)
    steps = torch.arange(longest - 1, device=rows_BL.device)
    prefixes = torch.where(steps <= position.unsqueeze(1), rows_BL[session, : longest - 1], 0)
    return prefixes, rows_BL[session, position + 1]
