"""Tables of which a step touches few rows: one a training item, or one a hashed pair of subwords."""

from torch import Tensor, nn
from torch.nn import functional as F


class SparseTable(nn.Embedding):
    """An embedding of many rows (row 0 is none).

    `training.optimizer` looks for tables of this class, makes their gradients sparse and updates them row by
    row; any other optimiser takes them as they are.
    """

    def __init__(self, n_rows: int, width: int) -> None:
        super().__init__(n_rows, width, padding_idx=0)

    def forward(self, rows: Tensor) -> Tensor:
        """Look up rows, int64 of any shape.

        Whoever looks up row 0 makes nothing of it, so that it has no gradient. Torch would take it out of
        sparse gradients, for which a GPU is asked how many there are.
        """
        padding = None if self.sparse else self.padding_idx
        return F.embedding(rows, self.weight, padding, sparse=self.sparse)
