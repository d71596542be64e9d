"""Lists of ids of some items, and what is made of a list.

On a CPU lists lie one behind the other. On a GPU each has as many places as the longest one, the rest filled
with PADDING: the sum of their lengths would have to be asked for, and waited for, at every step.

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
        values: int64 [V], one list behind the other; or [n, K], filled up with PADDING.
        offsets: int64 [n + 1], where each list starts among the V; None for [n, K].
    """

    values: Tensor
    offsets: Tensor | None

    def __len__(self) -> int:
        return len(self.values) if self.offsets is None else len(self.offsets) - 1

    @property
    def lengths(self) -> Tensor:
        """int64 [n]."""
        return (self.values != PADDING).sum(1) if self.offsets is None else self.offsets.diff()

    def spread(self, of_items: Tensor) -> Tensor:
        """Hand what belongs to the items, [n], to their values: [V], or [n, 1]."""
        if self.offsets is None:
            return of_items.unsqueeze(1)
        return torch.repeat_interleave(of_items, self.lengths, output_size=len(self.values))

    def total(self, of_values: Tensor) -> Tensor:
        """Add up what belongs to the values, shaped as `values`, list by list: [n]."""
        if self.offsets is None:
            return of_values.sum(1)
        items = self.spread(torch.arange(len(self), device=of_values.device))
        return of_values.new_zeros(len(self)).index_add(0, items, of_values)

    def replaced(self, values: Tensor) -> Lists:
        """Return lists of the same lengths, of other values."""
        if self.offsets is None:
            values = values.masked_fill(self.values == PADDING, PADDING)
        return Lists(values, self.offsets)

    def hidden(self, which: Tensor, stand_in: int) -> Lists:
        """Return lists some of which hold one value alone, as those of an item that lacks the attribute do.

        Args:
            which: bool [n], those to be hidden.
            stand_in: what each of them holds then.
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
        """Return the value after each one in its list, PADDING after the last one; shaped as `values`."""
        if self.offsets is None:
            return F.pad(self.values[:, 1:], (0, 1), value=PADDING)
        return self.values.roll(-1).index_fill(0, self.offsets[1:] - 1, PADDING)

    def pool(self, table: Tensor, mode: str, sparse: bool = False) -> Tensor:
        """Look the values up in a table and pool them, list by list, [n, d].

        Args:
            table: float32, of width d.
            mode: `mean` or `max`.
            sparse: whether the gradient of the table is; of `mean` alone.
        """
        if self.offsets is not None:
            return F.embedding_bag(
                self.values, table, self.offsets, mode=mode, include_last_offset=True, sparse=sparse
            )
        if mode == "max":
            return F.embedding_bag(self.values, table, mode=mode, padding_idx=PADDING)
        # Padding weighs nothing. Named to torch, it would be taken out of sparse gradients, which waits.
        shares = (self.values != PADDING) / self.lengths.unsqueeze(1)
        return F.embedding_bag(
            self.values, table, mode="sum", per_sample_weights=shares.to(table.dtype), sparse=sparse
        )


def hashed_pairs(lists: Lists, buckets: int) -> Lists:
    """Hash each value with the one after it in the same list, or with the list's end.

    Args:
        lists: of any ids.
        buckets: rows of the table; row 0 is left out.

    Returns:
        Lists of the same lengths, of numbers between 1 and `buckets` - 1.
    """
    return lists.replaced(1 + (lists.values * 92_821 + lists.following() * 31_337) % (buckets - 1))
