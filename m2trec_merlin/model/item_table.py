"""Tables with a row per training item: what the output side learns of single items, and the id variants."""

from torch import nn


class ItemTable(nn.Embedding):
    """An embedding whose rows are training items (row 0 is none and is not trained).

    Of its many rows a step touches few. `training.optimizer` therefore looks for tables of this class, makes
    their gradients sparse and updates them row by row; any other optimiser takes them as they are.
    """

    def __init__(self, n_rows: int, width: int) -> None:
        super().__init__(n_rows, width, padding_idx=0)
