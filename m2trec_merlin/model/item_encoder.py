"""Attributes of items to item vectors (Eq. 2 to 4).

Shapes: n items, I = sum of the attribute widths, D width of the model.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from m2trec_merlin.model.attribute_encoders import AttributeEncoder
from m2trec_merlin.model.catalogue_tensors import EncodedAttributes
from m2trec_merlin.model.expected_popularity import ExpectedPopularity


class ItemEncoder(nn.Module):
    """Encodes every attribute and concatenates the results (Eq. 4).

    No parameter belongs to an item: what it returns depends on attributes alone.

    Args:
        encoders: of the attributes.
        popularity: what comes last in the vectors, for the scorer alone; or nothing.

    Attributes:
        width: I, the length of an item vector.
        described: how many of its numbers come from the attributes, for `ItemProjection`.
    """

    def __init__(
        self, encoders: Sequence[AttributeEncoder], popularity: ExpectedPopularity | None = None
    ) -> None:
        super().__init__()
        self.encoders = nn.ModuleList(encoders)
        self.popularity = popularity
        self.described = sum(encoder.width for encoder in encoders)
        self.width = self.described + (0 if popularity is None else popularity.width)

    def forward(self, attributes: EncodedAttributes) -> Tensor:
        """Return item vectors, float32 [n, I]."""
        vectors = [encoder(attributes) for encoder in self.encoders]
        if self.popularity is not None:
            vectors.append(self.popularity(attributes))
        return torch.cat(vectors, dim=1)


class ItemProjection(nn.Linear):
    """A linear layer on what the attributes say.

    The expected popularity that may follow is left out: as a bias alone it ranks new items better than with
    the vectors made of it, too (docs/quality.md).
    """

    def forward(self, vectors: Tensor) -> Tensor:
        """Project item vectors, [..., I] to [..., D]."""
        return super().forward(vectors[..., : self.in_features])
