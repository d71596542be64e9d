"""One encoder for each kind of attribute: encoded values in, a vector per item out.

Shapes: n items, V flat list values, d the attribute's width.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from m2trec_merlin.catalogue import LIST_KINDS, MISSING, OUT_OF_VOCABULARY, PADDING, AttributeColumn
from m2trec_merlin.config import AttributeConfig, ModelConfig
from m2trec_merlin.model.catalogue_tensors import EncodedAttributes
from m2trec_merlin.model.sparse_table import SparseTable


class AttributeEncoder(nn.Module):
    """The seam: reads its own entries of the encoded attributes.

    Attributes:
        name: of the attribute.
        width: d, the length of the vectors it returns.
    """

    def __init__(self, name: str, width: int) -> None:
        super().__init__()
        self.name = name
        self.width = width

    def forward(self, attributes: EncodedAttributes) -> Tensor:
        """Return vectors, float32 [n, d]."""
        raise NotImplementedError


class ListEncoder(AttributeEncoder):
    """Text and multi-categorical attributes: embed every value, then pool (Eq. 3).

    Args:
        name: of the attribute.
        vocabulary_size: ids, the reserved ones included.
        width: d.
        pooling: `mean` or `max` over an item's values.
        dropout: share of items whose value is hidden, and of single values made unknown, in training:
            serving meets both, so the vectors that stand for them have to be trained.
        pair_buckets: rows of a table for pairs of neighbouring values, found by a hash; 0 for none. What
            a title says lies in "almond milk" as much as in "almond" and "milk".
    """

    def __init__(
        self,
        name: str,
        vocabulary_size: int,
        width: int,
        pooling: str,
        dropout: float,
        pair_buckets: int = 0,
    ) -> None:
        super().__init__(name, width)
        self.embedding = nn.Embedding(vocabulary_size, width, padding_idx=PADDING)
        nn.init.normal_(self.embedding.weight, std=width**-0.5)
        self.pooling = pooling
        self.dropout = dropout
        self.pairs = SparseTable(pair_buckets, width) if pair_buckets else None
        if self.pairs is not None:
            # Pairs that training never saw say nothing, rather than something random.
            nn.init.zeros_(self.pairs.weight)

    def forward(self, attributes: EncodedAttributes) -> Tensor:
        """Pool the embeddings of `NAME__values` [V] over `NAME__offsets` [n + 1]."""
        values, offsets = attributes[f"{self.name}__values"], attributes[f"{self.name}__offsets"]
        if self.training and self.dropout:
            values = _hide(values, self.dropout / 2, OUT_OF_VOCABULARY)
            hidden = torch.rand(len(offsets) - 1, device=values.device) < self.dropout / 2
            values = values.masked_fill(torch.repeat_interleave(hidden, offsets.diff()), MISSING)
        pooled = F.embedding_bag(
            values, self.embedding.weight, offsets, mode=self.pooling, include_last_offset=True
        )
        if self.pairs is None:
            return pooled
        buckets = hashed_pairs(values, offsets, self.pairs.num_embeddings)
        return pooled + F.embedding_bag(
            buckets,
            self.pairs.weight,
            offsets,
            mode="mean",
            include_last_offset=True,
            sparse=self.pairs.sparse,
        )


def hashed_pairs(values: Tensor, offsets: Tensor, buckets: int) -> Tensor:
    """Hash each value with the one after it in the same list, or with the list's end.

    Args:
        values: int64 [V].
        offsets: int64 [n + 1], no list is empty.
        buckets: rows of the table; row 0 is left out.

    Returns:
        int64 [V], between 1 and `buckets` - 1.
    """
    following = torch.cat([values[1:], values[:1]]).index_fill(0, offsets[1:] - 1, PADDING)
    return 1 + (values * 92_821 + following * 31_337) % (buckets - 1)


class CategoricalEncoder(AttributeEncoder):
    """One value per item: an embedding look-up (Eq. 2)."""

    def __init__(self, name: str, embedding: nn.Embedding, dropout: float) -> None:
        super().__init__(name, embedding.embedding_dim)
        self.embedding = embedding
        nn.init.normal_(self.embedding.weight, std=self.width**-0.5)
        self.dropout = dropout

    def forward(self, attributes: EncodedAttributes) -> Tensor:
        """Embed `NAME`, int64 [n]."""
        values = attributes[self.name]
        if self.training and self.dropout:
            values = _hide(values, self.dropout / 2, OUT_OF_VOCABULARY)
            values = _hide(values, self.dropout / 2, MISSING)
        return self.embedding(values)


class NumericEncoder(AttributeEncoder):
    """The normalised value itself, as in the paper (d = 1)."""

    def __init__(self, name: str) -> None:
        super().__init__(name, 1)

    def forward(self, attributes: EncodedAttributes) -> Tensor:
        """Return `NAME`, float32 [n], as a column."""
        return attributes[self.name].unsqueeze(1)


class VectorEncoder(AttributeEncoder):
    """A vector made elsewhere (image, sentence): a linear projection."""

    def __init__(self, name: str, size: int, width: int) -> None:
        super().__init__(name, width)
        self.projection = nn.Linear(size, width)

    def forward(self, attributes: EncodedAttributes) -> Tensor:
        """Project `NAME`, float32 [n, size]."""
        return self.projection(attributes[self.name])


def embedding_width(vocabulary_size: int, config: ModelConfig) -> int:
    """Return an embedding width proportional to the vocabulary, a multiple of 8 within the limits."""
    wanted = 8 * math.ceil(vocabulary_size * config.dim_per_value / 8)
    return min(max(wanted, config.min_dim), config.max_dim)


def build_attribute_encoder(
    column: AttributeColumn, attribute: AttributeConfig | None, config: ModelConfig
) -> AttributeEncoder:
    """Return the encoder for one attribute.

    Args:
        column: the attribute in the catalogue: its kind and vocabulary size.
        attribute: its configuration; None for the id pseudo-attribute, whose width is the model's.
        config: of the model.
    """
    if column.kind == "numeric":
        return NumericEncoder(column.name)
    if attribute is None:
        return CategoricalEncoder(column.name, SparseTable(column.vocabulary_size, config.width), 0.0)
    if column.kind == "vector":
        size = column.values.shape[1]
        return VectorEncoder(column.name, size, attribute.dim or min(size, config.max_dim))
    width = attribute.dim or embedding_width(column.vocabulary_size, config)
    if column.kind in LIST_KINDS:
        return ListEncoder(
            column.name,
            column.vocabulary_size,
            width,
            attribute.pooling,
            config.attribute_dropout,
            attribute.pair_buckets if column.kind == "text" else 0,
        )
    embedding = nn.Embedding(column.vocabulary_size, width, padding_idx=PADDING)
    return CategoricalEncoder(column.name, embedding, config.attribute_dropout)


def _hide(values: Tensor, share: float, replacement: int) -> Tensor:
    """Replace a random share of the values."""
    return values.masked_fill(torch.rand(values.shape, device=values.device) < share, replacement)
