"""Dropout that is fast on a CPU."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Dropout(nn.Module):
    """Zeroes a random share of the values and scales the others up.

    On a CPU, torch draws one random number per value, which took a tenth of a training step. Here one
    64-bit number decides on eight values; the share is therefore rounded to a multiple of 1/256, and
    the remaining values are scaled to match the rounded share.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share
        self.threshold = round(share * 256)

    def forward(self, x: Tensor) -> Tensor:
        """Apply dropout in training mode, to a tensor of any shape."""
        if not self.training or self.threshold == 0:
            return x
        if x.device.type != "cpu":
            return F.dropout(x, self.share, training=True)
        words = torch.randint(-(1 << 63), (1 << 63) - 1, ((x.numel() + 7) // 8,), dtype=torch.int64)
        kept = words.view(torch.uint8)[: x.numel()].view(x.shape) >= self.threshold
        return x * (kept * (256 / (256 - self.threshold))).to(x.dtype)
