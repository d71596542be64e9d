"""The item encoder's output.

Shapes: n items, I item width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class ItemVectors:
    """Vectors that describe n items, and the popularity to expect of the items.

    The two are used separately: new items rank better if the expected popularity is a bias only and does not
    enter the vectors, too (docs/quality.md). Both lie in one tensor, so that they are looked up and joined
    together; only this class knows the layout.

    Attributes:
        joint: both side by side, float32 [..., I], or [..., I + 1] with the expected popularity.
        width: I.
    """

    joint: Tensor
    width: int

    @classmethod
    def of(cls, described: Sequence[Tensor], expected_popularity: Tensor | None = None) -> ItemVectors:
        """Join the parts of the vectors, [n, part of I] each, and the expected popularity, [n]."""
        parts = list(described)
        width = sum(part.shape[1] for part in parts)
        if expected_popularity is not None:
            parts.append(expected_popularity.unsqueeze(1))
        return cls(torch.cat(parts, dim=1), width)

    @property
    def described(self) -> Tensor:
        """The encoded attributes, float32 [..., I]."""
        return self.joint[..., : self.width]

    @property
    def expected_popularity(self) -> Tensor | None:
        """The logarithm of the expected training occurrences, float32 [...], or None."""
        return self.joint[..., -1] if self.joint.shape[-1] > self.width else None

    def take(self, positions: Tensor) -> ItemVectors:
        """Return the items at `positions`, int64 of any shape."""
        return ItemVectors(self.joint[positions], self.width)

    @staticmethod
    def join(parts: Sequence[ItemVectors]) -> ItemVectors:
        """Concatenate the items of several groups, at least one."""
        return ItemVectors(torch.cat([part.joint for part in parts]), parts[0].width)
