"""Dropout that does not dominate training on a CPU."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Dropout(nn.Module):
    """Zero a random share of the values and scale the others up.

    On a CPU, torch draws one random number per value, which took a tenth of a training step. Here one
    64-bit number decides over eight values; the share is therefore rounded to a multiple of 1/256, and
    the others are scaled by exactly what was dropped.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share
        self.threshold = round(share * 256)

    def forward(self, x: Tensor) -> Tensor:
        """Drop in training mode; any shape."""
        if not self.training or self.threshold == 0:
            return x
        if x.device.type != "cpu":
            return F.dropout(x, self.share, training=True)
        words = torch.randint(-(1 << 63), (1 << 63) - 1, ((x.numel() + 7) // 8,), dtype=torch.int64)
        kept = words.view(torch.uint8)[: x.numel()].view(x.shape) >= self.threshold
        return x * (kept * (256 / (256 - self.threshold))).to(x.dtype)
