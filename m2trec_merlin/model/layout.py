"""Two layouts of a batch of sessions, and the way between them.

Shapes: B sessions, L longest session, E events in all, D width.
Padded [B, L, D] is what attention needs; packed [E, D] is what everything else needs, and holds no
padding to compute on: sessions average half of the longest one or less.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Packing:
    """Where the events of a padded batch stand when padding is left out.

    Attributes:
        lengths: int64 [B], events per session.
        longest: L.
        flat: int64 [E], index of each event in the padded batch seen as [B * L].
    """

    lengths: Tensor
    longest: int
    flat: Tensor

    @classmethod
    def of(cls, lengths: Tensor, longest: int) -> Packing:
        """Describe right-padded sessions of these lengths, int64 [B]."""
        mask = torch.arange(longest, device=lengths.device) < lengths.unsqueeze(1)
        return cls(lengths, longest, mask.flatten().nonzero().squeeze(1))

    @property
    def session(self) -> Tensor:
        """int64 [E], the session of each event."""
        return self.flat // self.longest

    @property
    def position(self) -> Tensor:
        """int64 [E], the position of each event in its session, from 0."""
        return self.flat % self.longest

    def pack(self, padded: Tensor) -> Tensor:
        """[B, L, ...] to [E, ...]."""
        return padded.flatten(0, 1).index_select(0, self.flat)

    def pad(self, packed: Tensor) -> Tensor:
        """[E, ...] to [B, L, ...], zeros where there is no event."""
        padded = packed.new_zeros((len(self.lengths) * self.longest, *packed.shape[1:]))
        return padded.index_copy(0, self.flat, packed).unflatten(0, (len(self.lengths), self.longest))
