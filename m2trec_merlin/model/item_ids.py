"""The encoder of item ids, for the variants that have them on the input.

Shapes: n items, R rows of the table, K near items of an item, d width.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from m2trec_merlin.config import ModelConfig
from m2trec_merlin.encoded import FIRST_VALUE, OUT_OF_VOCABULARY, Field
from m2trec_merlin.model.attribute_encoders import AttributeEncoder, hide
from m2trec_merlin.model.catalogue_tensors import EncodedAttributes
from m2trec_merlin.model.sparse_table import SparseTable
from m2trec_merlin.neighbours.item_lists import lists_of
from m2trec_merlin.sessions import Sessions

#: Share of an item's near items that a training step leaves out, so that its vector relies on no single one.
#: Not tuned: near items found in other sessions, all of them shown, did as well (docs/quality-log.md).
HIDDEN_SHARE = 0.5


class NearItems(nn.Module):
    """The items that stand near each training item in training sessions, found before training.

    Args:
        n_rows: R; row `FIRST_VALUE` - 1 + i is that of catalogue row i.
        count: K.

    Attributes:
        rows: the near items' rows of the table, int32 [R, K]; 0 where an item has fewer.
        shares: their likeness to the item (`neighbours/item_lists.py`), scaled to sum 1; float32 [R, K].
    """

    def __init__(self, n_rows: int, count: int) -> None:
        super().__init__()
        self.register_buffer("rows", torch.zeros(n_rows, count, dtype=torch.int32))
        self.register_buffer("shares", torch.zeros(n_rows, count))
        self.rows: Tensor
        self.shares: Tensor

    def fit(self, sessions: Sessions) -> None:
        """Find the near items in training sessions, whose items all have a row."""
        n_rows, count = self.rows.shape
        lists = lists_of(sessions, n_rows - FIRST_VALUE + 1, count)
        found = np.diff(lists.indptr)
        item = np.repeat(np.arange(len(found)), found) + FIRST_VALUE - 1
        place = np.arange(lists.nnz) - np.repeat(lists.indptr[:-1], found)
        sums = np.asarray(lists.sum(axis=1)).ravel()
        rows, shares = np.zeros((n_rows, count), np.int32), np.zeros((n_rows, count), np.float32)
        rows[item, place] = lists.indices + FIRST_VALUE - 1
        shares[item, place] = lists.data / np.repeat(sums, found)
        self.rows.copy_(torch.from_numpy(rows))
        self.shares.copy_(torch.from_numpy(shares))

    def forward(self, table: SparseTable, ids: Tensor) -> Tensor:
        """Return the mean vector of the near items of `ids`, int64 [n], weighted by likeness; [n, d]."""
        shares = self.shares[ids]
        if self.training:
            shown = torch.rand(shares.shape, device=shares.device) >= HIDDEN_SHARE
            shares = shares * shown / (1 - HIDDEN_SHARE)
        return table.pool(self.rows[ids].long(), shares)


class ItemIdEncoder(AttributeEncoder):
    """Embeds the ids of items, smoothed over the items that stand near them in training sessions:

        vector(i) = e(i) + sum over j of a(i, j) e(j)

    with the likeness a of `NearItems`. Graph models of sessions do the same over one hop of their global
    graph (GCE-GNN, Wang et al., SIGIR 2020): what few sessions tell of an item is joined by what they tell
    of its neighbours. Items outside of training share one vector, and have no near items.

    Args:
        field: the column of ids, see `id_column`.
        config: d (`width`), K (`near_items`; 0 for the embedding alone, Eq. 2), and the share of items that
            a training step treats as if they were outside of training (`id_dropout`).
    """

    def __init__(self, field: Field, config: ModelConfig) -> None:
        super().__init__(field.name, config.width)
        self.embedding = SparseTable(field.size, config.width)
        nn.init.normal_(self.embedding.weight, std=config.width**-0.5)
        self.near = NearItems(field.size, config.near_items) if config.near_items else None
        self.dropout = config.id_dropout

    def forward(self, attributes: EncodedAttributes) -> Tensor:
        """Embed the attribute's ids, int64 [n]."""
        ids = attributes[self.name]
        if self.training and self.dropout:
            ids = hide(ids, self.dropout, OUT_OF_VOCABULARY)
        own: Tensor = self.embedding(ids)
        return own if self.near is None else own + self.near(self.embedding, ids)
