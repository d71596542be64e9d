"""Embedding tables of which a training step uses few rows: one row per training item or hashed pair."""

from torch import Tensor, nn
from torch.nn import functional as F


class SparseTable(nn.Embedding):
    """An embedding of many rows; row 0 stands for no entry.

    `training.optimizer` finds tables by this class, makes their gradients sparse and updates only the rows
    used; other optimisers treat them as plain embeddings.
    """

    def __init__(self, n_rows: int, width: int) -> None:
        super().__init__(n_rows, width, padding_idx=0)

    def forward(self, rows: Tensor) -> Tensor:
        """Look up rows, int64 of any shape.

        Callers ignore what they get for row 0, so it has no gradient. Torch's `padding_idx` would filter
        sparse gradients, and wait for a GPU to count them.
        """
        padding = None if self.sparse else self.padding_idx
        return F.embedding(rows, self.weight, padding, sparse=self.sparse)

    def pool(self, rows: Tensor, weights: Tensor) -> Tensor:
        """Look up groups of rows, int64 [n, K], and add up each by its weights [n, K]; [n, width].

        Row 0 has to have weight 0.
        """
        return F.embedding_bag(rows, self.weight, mode="sum", per_sample_weights=weights, sparse=self.sparse)
