"""Tables of which a step touches few rows: one a training item, or one a hashed pair of subwords."""

from torch import nn


class SparseTable(nn.Embedding):
    """An embedding of many rows (row 0 is none).

    `training.optimizer` looks for tables of this class, makes their gradients sparse and updates them row by
    row; any other optimiser takes them as they are.
    """

    def __init__(self, n_rows: int, width: int) -> None:
        super().__init__(n_rows, width, padding_idx=0)
