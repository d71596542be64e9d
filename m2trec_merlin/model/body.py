"""The body of the model: sessions of catalogue rows in, session vectors of prefixes out.

Shape legend: n rows asked for, E events in all, P prefixes, I item width, D width.
"""

from __future__ import annotations

import torch
from merlin.schema import Schema
from torch import Tensor, nn
from transformers4rec.torch.block.base import BlockBase

from m2trec_merlin.encoded import NO_ITEM
from m2trec_merlin.model.catalogue_tensors import CatalogueTensors
from m2trec_merlin.model.distinct_rows import distinct_rows, once
from m2trec_merlin.model.encoded_prefixes import EncodedPrefixes, prefix_history
from m2trec_merlin.model.item_encoder import ItemEncoder
from m2trec_merlin.model.item_vectors import ItemVectors
from m2trec_merlin.model.session_batch import SessionBatch
from m2trec_merlin.model.session_encoder import SessionEncoder


class CatalogueInput(nn.Module):
    """The input block: turns catalogue rows into item vectors.

    Attributes:
        schema: Merlin schema of the model's input.
    """

    def __init__(self, catalogue: CatalogueTensors, item_encoder: ItemEncoder, schema: Schema) -> None:
        super().__init__()
        self.catalogue = catalogue
        self.item_encoder = item_encoder
        self.schema = schema

    def forward(self, rows: Tensor) -> ItemVectors:
        """Return the item vectors of catalogue rows, int64 [n]."""
        items: ItemVectors = self.item_encoder(self.catalogue(rows))
        return items


class SessionBody(BlockBase):
    """Encodes the distinct items of a batch once, then all sessions."""

    def __init__(self, inputs: CatalogueInput, session_encoder: SessionEncoder) -> None:
        super().__init__()
        self.inputs = inputs
        self.session_encoder = session_encoder

    def output_size(self, input_size: object = None) -> torch.Size:
        """Return [P, D], the output shape that Transformers4Rec asks for; -1 stands for P."""
        return torch.Size([-1, self.session_encoder.width])

    def forward_output_size(self, input_size: object) -> torch.Size:
        """See `output_size`."""
        return self.output_size()

    def forward(self, inputs: SessionBatch, training: bool = False, testing: bool = False) -> EncodedPrefixes:
        """Encode a batch of sessions.

        Args:
            inputs: sessions.
            training: encode every prefix that has a target.
            testing: encode the same prefixes.

        Returns:
            With `training` or `testing`, prefixes with their targets, session by session; otherwise whole
            sessions, without targets.
        """
        if not training and not testing:
            return self._encode_sessions(inputs)
        if self.session_encoder.causal:
            return self._encode_prefixes_in_one_pass(inputs)
        return self._encode_sessions(inputs.prefixes(), inputs.targets)

    def _encode_sessions(self, batch: SessionBatch, targets: Tensor | None = None) -> EncodedPrefixes:
        rows, items, x_EI = self._encode_items(batch.rows, targets)
        x_ED = self._encode_events(x_EI, batch)
        vectors = self.session_encoder.pool_sessions(batch.packing.pad(x_ED), batch.lengths)
        history = prefix_history(batch, batch.lengths.cumsum(0) - 1, len(batch.rows))
        if targets is None:
            targets = torch.full_like(batch.lengths, NO_ITEM)
        return EncodedPrefixes(vectors, targets, rows, items, history)

    def _encode_prefixes_in_one_pass(self, batch: SessionBatch) -> EncodedPrefixes:
        rows, items, x_EI = self._encode_items(batch.rows)
        x_ED = self._encode_events(x_EI, batch)
        vectors = self.session_encoder.pool_prefixes(x_ED, batch.packing)[batch.ends]
        history = prefix_history(batch, batch.ends, batch.n_pairs)
        return EncodedPrefixes(vectors, batch.targets, rows, items, history)

    def _encode_events(self, x_EI: Tensor, batch: SessionBatch) -> Tensor:
        more_ED = self.session_encoder.encode_events(batch.attributes, len(batch.rows))
        x_ED: Tensor = self.session_encoder(x_EI, batch.packing, more_ED)
        return x_ED

    def _encode_items(self, rows_E: Tensor, also: Tensor | None = None) -> tuple[Tensor, ItemVectors, Tensor]:
        """Encode each distinct row once; return these rows, their items, and a vector per event, [E, I]."""
        rows = distinct_rows(rows_E if also is None else torch.cat([rows_E, also]))
        items: ItemVectors = self.inputs(once(rows))
        return rows, items, items.take(torch.searchsorted(rows, rows_E)).described
