"""The item encoder: turns attributes of items into item vectors (Eq. 2 to 4).

Shapes: n items, I = sum of the attribute widths.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from m2trec_merlin.model.attribute_encoders import AttributeEncoder
from m2trec_merlin.model.catalogue_tensors import EncodedAttributes
from m2trec_merlin.model.expected_popularity import ExpectedPopularity
from m2trec_merlin.model.item_vectors import ItemVectors


class ItemEncoder(nn.Module):
    """Encodes every attribute and concatenates the results (Eq. 4).

    No parameter belongs to an item: an item's vector depends on its attributes alone.

    Args:
        encoders: one encoder per attribute.
        popularity: regression of popularity on attributes; None for no expected popularity.

    Attributes:
        width: I, the length of an item vector.
        widths: length of each attribute's part of the vector, by name, in order.
    """

    def __init__(
        self, encoders: Sequence[AttributeEncoder], popularity: ExpectedPopularity | None = None
    ) -> None:
        super().__init__()
        self.encoders = nn.ModuleList(encoders)
        self.popularity = popularity
        self.widths = {encoder.name: encoder.width for encoder in encoders}
        self.width = sum(self.widths.values())

    @property
    def attributes(self) -> list[AttributeEncoder]:
        """The encoders of the attributes, in the order of their vectors."""
        return [encoder for encoder in self.encoders if isinstance(encoder, AttributeEncoder)]

    def forward(self, attributes: EncodedAttributes) -> ItemVectors:
        """Return the item vectors of n items."""
        described = [encoder(attributes) for encoder in self.encoders]
        expected = None if self.popularity is None else self.popularity(attributes).squeeze(1)
        return ItemVectors.of(described, expected)
