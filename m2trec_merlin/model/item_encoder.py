"""Attributes of items to item vectors (Eq. 2 to 4).

Shapes: n items, I = sum of the attribute widths.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from m2trec_merlin.model.attribute_encoders import AttributeEncoder
from m2trec_merlin.model.catalogue_tensors import EncodedAttributes


class ItemEncoder(nn.Module):
    """Encodes every attribute and concatenates the results (Eq. 4).

    No parameter belongs to an item: what it returns depends on attributes alone.

    Attributes:
        width: I, the length of an item vector.
    """

    def __init__(self, encoders: Sequence[AttributeEncoder]) -> None:
        super().__init__()
        self.encoders = nn.ModuleList(encoders)
        self.width = sum(encoder.width for encoder in encoders)

    def forward(self, attributes: EncodedAttributes) -> Tensor:
        """Return item vectors, float32 [n, I]."""
        return torch.cat([encoder(attributes) for encoder in self.encoders], dim=1)
