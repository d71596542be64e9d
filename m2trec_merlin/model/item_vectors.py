"""What the model makes of items' attributes.

Shapes: n items, I numbers that describe an item.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class ItemVectors:
    """What describes n items, and how popular to expect them.

    The two have different readers: as a bias alone the expected popularity ranks new items better than with
    the vectors made of it, too (docs/quality.md). Both stand in one tensor, so that they are looked up and
    joined together; nobody else need know how.

    Attributes:
        joint: float32 [..., I], or [..., I + 1] with the expected popularity.
        width: I.
    """

    joint: Tensor
    width: int

    @classmethod
    def of(cls, described: Sequence[Tensor], expected_popularity: Tensor | None = None) -> ItemVectors:
        """Put together what describes items, parts of [n, I] side by side, and what to expect, [n]."""
        parts = list(described)
        width = sum(part.shape[1] for part in parts)
        if expected_popularity is not None:
            parts.append(expected_popularity.unsqueeze(1))
        return cls(torch.cat(parts, dim=1), width)

    @property
    def described(self) -> Tensor:
        """float32 [..., I], the encoded attributes."""
        return self.joint[..., : self.width]

    @property
    def expected_popularity(self) -> Tensor | None:
        """float32 [...], logarithm of the training occurrences to expect, or None."""
        return self.joint[..., -1] if self.joint.shape[-1] > self.width else None

    def take(self, positions: Tensor) -> ItemVectors:
        """Return the items at `positions`, int64 of any shape."""
        return ItemVectors(self.joint[positions], self.width)

    @staticmethod
    def join(parts: Sequence[ItemVectors]) -> ItemVectors:
        """Put the items of several groups, one at least, behind each other."""
        return ItemVectors(torch.cat([part.joint for part in parts]), parts[0].width)
