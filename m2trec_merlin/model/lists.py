"""Lists of ids, one list per item: ragged on a CPU, padded on a GPU.

On a GPU, the total length of ragged lists would have to be waited for at every step. So each list takes as
many places as the longest one, filled up with PADDING.

Shapes: n items, V ids of all lists, K places of a list, d width of a table.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from m2trec_merlin.encoded import PADDING


@dataclass(frozen=True)
class Lists:
    """Lists of ids, none of them empty.

    Attributes:
        values: the ids, int64: concatenated lists [V], or padded lists [n, K].
        offsets: where each list starts among the V, int64 [n + 1]; None for padded lists.
    """

    values: Tensor
    offsets: Tensor | None

    def __len__(self) -> int:
        return len(self.values) if self.offsets is None else len(self.offsets) - 1

    @property
    def lengths(self) -> Tensor:
        """Number of ids in each list, int64 [n]."""
        return (self.values != PADDING).sum(1) if self.offsets is None else self.offsets.diff()

    def spread(self, of_items: Tensor) -> Tensor:
        """Repeat a number per item, [n], for each of the item's values: [V], or [n, 1] to broadcast."""
        if self.offsets is None:
            return of_items.unsqueeze(1)
        return torch.repeat_interleave(of_items, self.lengths, output_size=len(self.values))

    def total(self, of_values: Tensor) -> Tensor:
        """Sum numbers per value, in the shape of `values`, over each list: [n]."""
        if self.offsets is None:
            return of_values.sum(1)
        items = self.spread(torch.arange(len(self), device=of_values.device))
        return of_values.new_zeros(len(self)).index_add(0, items, of_values)

    def replaced(self, values: Tensor) -> Lists:
        """Return lists of the same lengths with other values."""
        if self.offsets is None:
            values = values.masked_fill(self.values == PADDING, PADDING)
        return Lists(values, self.offsets)

    def hidden(self, which: Tensor, stand_in: int) -> Lists:
        """Replace some lists by lists of one stand-in value, as items that lack the attribute have.

        Args:
            which: which lists to replace, bool [n].
            stand_in: value to put into them.
        """
        if self.offsets is None:
            first = torch.where(which, stand_in, self.values[:, 0])
            others = self.values[:, 1:].masked_fill(which.unsqueeze(1), PADDING)
            return Lists(torch.cat([first.unsqueeze(1), others], dim=1), None)
        starts = self.offsets[:-1]
        values = self.values.index_fill(0, starts[which], stand_in)
        kept = (~self.spread(which)).index_fill(0, starts, True)
        lengths = torch.where(which, 1, self.lengths)
        return Lists(values[kept], F.pad(lengths.cumsum(0), (1, 0)))

    def following(self) -> Tensor:
        """Return each value's successor in its list, PADDING after the last; in the shape of `values`."""
        if self.offsets is None:
            return F.pad(self.values[:, 1:], (0, 1), value=PADDING)
        return self.values.roll(-1).index_fill(0, self.offsets[1:] - 1, PADDING)

    def pool(self, table: Tensor, mode: str, sparse: bool = False) -> Tensor:
        """Look the values up in a table and pool them, list by list, [n, d].

        Args:
            table: the table, float32 [ids, d].
            mode: `mean` or `max`.
            sparse: whether the table gets a sparse gradient; for `mean` only.
        """
        if self.offsets is not None:
            return F.embedding_bag(
                self.values, table, self.offsets, mode=mode, include_last_offset=True, sparse=sparse
            )
        if mode == "max":
            return F.embedding_bag(self.values, table, mode=mode, padding_idx=PADDING)
        # Padding gets weight 0. With `padding_idx`, torch would filter sparse gradients and wait for the GPU.
        shares = (self.values != PADDING) / self.lengths.unsqueeze(1)
        return F.embedding_bag(
            self.values, table, mode="sum", per_sample_weights=shares.to(table.dtype), sparse=sparse
        )


def hashed_pairs(lists: Lists, buckets: int) -> Lists:
    """Hash each value with the one after it in the same list, or with the list's end.

    Args:
        lists: lists of any ids.
        buckets: number of rows of the table; row 0 is not used.

    Returns:
        Lists of the same lengths with row numbers between 1 and `buckets` - 1.
    """
    return lists.replaced(1 + (lists.values * 92_821 + lists.following() * 31_337) % (buckets - 1))
