"""One encoder per attribute layout: turns encoded values into a vector per item.

Shapes: n items, V flat list values, d the attribute's width.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor, nn

from m2trec_merlin.attributes import Attribute, Embedding
from m2trec_merlin.config import ModelConfig
from m2trec_merlin.encoded import MISSING, OUT_OF_VOCABULARY, PADDING, Field, Layout
from m2trec_merlin.model.catalogue_tensors import EncodedAttributes, lists_of
from m2trec_merlin.model.lists import hashed_pairs
from m2trec_merlin.model.sparse_table import SparseTable


class AttributeEncoder(nn.Module):
    """Base class of the encoders; each reads the entries of its own attribute.

    Attributes:
        name: name of the attribute.
        width: d, the length of the returned vectors.
    """

    def __init__(self, name: str, width: int) -> None:
        super().__init__()
        self.name = name
        self.width = width

    def forward(self, attributes: EncodedAttributes) -> Tensor:
        """Return one vector per item, float32 [n, d]."""
        raise NotImplementedError


class ListEncoder(AttributeEncoder):
    """Encodes text and multi-categorical attributes: embeds every value, then pools (Eq. 3).

    Args:
        name: name of the attribute.
        vocabulary_size: number of ids, the reserved ones included.
        width: d.
        pooling: `mean` or `max` over an item's values.
        dropout: twice the share of items whose list is replaced by "missing" in training, and twice the share
            of values replaced by "unknown". Serving meets both, so their vectors have to be trained.
        pair_buckets: rows of a table for hashed pairs of neighbouring values; 0 for none. The meaning of a
            title lies in "almond milk" as much as in "almond" and "milk".
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
            # Pairs that training never saw add nothing, rather than noise.
            nn.init.zeros_(self.pairs.weight)

    def forward(self, attributes: EncodedAttributes) -> Tensor:
        """Pool the embeddings of each item's list."""
        lists = lists_of(attributes, self.name)
        if self.training and self.dropout:
            values = hide(lists.values, self.dropout / 2, OUT_OF_VOCABULARY)
            hidden = torch.rand(len(lists), device=values.device) < self.dropout / 2
            lists = lists.replaced(values).hidden(hidden, MISSING)
        pooled = lists.pool(self.embedding.weight, self.pooling)
        if self.pairs is None:
            return pooled
        pairs = hashed_pairs(lists, self.pairs.num_embeddings)
        return pooled + pairs.pool(self.pairs.weight, "mean", sparse=self.pairs.sparse)


class CategoricalEncoder(AttributeEncoder):
    """Encodes attributes with one value per item: an embedding look-up (Eq. 2)."""

    def __init__(self, name: str, embedding: nn.Embedding, dropout: float) -> None:
        super().__init__(name, embedding.embedding_dim)
        self.embedding = embedding
        nn.init.normal_(self.embedding.weight, std=self.width**-0.5)
        self.dropout = dropout

    def forward(self, attributes: EncodedAttributes) -> Tensor:
        """Embed the attribute's ids, int64 [n]."""
        values = attributes[self.name]
        if self.training and self.dropout:
            values = hide(values, self.dropout / 2, OUT_OF_VOCABULARY)
            values = hide(values, self.dropout / 2, MISSING)
        return self.embedding(values)


class NumericEncoder(AttributeEncoder):
    """Passes the normalised number through, as in the paper (d = 1)."""

    def __init__(self, name: str) -> None:
        super().__init__(name, 1)

    def forward(self, attributes: EncodedAttributes) -> Tensor:
        """Return the attribute's numbers, float32 [n], as a column [n, 1]."""
        return attributes[self.name].unsqueeze(1)


class VectorEncoder(AttributeEncoder):
    """Projects a vector that was computed elsewhere (image, sentence) linearly."""

    def __init__(self, name: str, size: int, width: int) -> None:
        super().__init__(name, width)
        self.projection = nn.Linear(size, width)

    def forward(self, attributes: EncodedAttributes) -> Tensor:
        """Project the attribute's vectors, float32 [n, size]."""
        return self.projection(attributes[self.name])


def embedding_width(vocabulary_size: int, config: ModelConfig) -> int:
    """Return an embedding width proportional to the vocabulary size: a multiple of 8 within the limits."""
    wanted = 8 * math.ceil(vocabulary_size * config.dim_per_value / 8)
    return min(max(wanted, config.min_dim), config.max_dim)


def build_attribute_encoder(
    field: Field, attribute: Attribute, config: ModelConfig, width: int | None = None
) -> AttributeEncoder:
    """Build the encoder for one attribute, by the layout of its values.

    Args:
        field: name, layout and size of the encoded attribute.
        attribute: its configuration.
        config: model settings.
        width: d, to keep that of an earlier model although the vocabulary has grown; None to compute it.
    """
    embedding = attribute.embedding if width is None else replace(attribute.embedding, dim=width)
    return _BUILDERS[field.layout](field, embedding, config)


def _build_categorical(field: Field, embedding: Embedding, config: ModelConfig) -> AttributeEncoder:
    width = embedding.dim or embedding_width(field.size, config)
    table = nn.Embedding(field.size, width, padding_idx=PADDING)
    return CategoricalEncoder(field.name, table, config.attribute_dropout)


def _build_list(field: Field, embedding: Embedding, config: ModelConfig) -> AttributeEncoder:
    width = embedding.dim or embedding_width(field.size, config)
    dropout = config.attribute_dropout
    return ListEncoder(field.name, field.size, width, embedding.pooling, dropout, embedding.pair_buckets)


def _build_numeric(field: Field, embedding: Embedding, config: ModelConfig) -> AttributeEncoder:
    return NumericEncoder(field.name)


def _build_vector(field: Field, embedding: Embedding, config: ModelConfig) -> AttributeEncoder:
    return VectorEncoder(field.name, field.size, embedding.dim or min(field.size, config.max_dim))


_BUILDERS: dict[Layout, Callable[[Field, Embedding, ModelConfig], AttributeEncoder]] = {
    Layout.IDS: _build_categorical,
    Layout.ID_LISTS: _build_list,
    Layout.NUMBERS: _build_numeric,
    Layout.VECTORS: _build_vector,
}


def hide(values: Tensor, share: float, replacement: int) -> Tensor:
    """Replace a random share of the values by `replacement`."""
    return values.masked_fill(torch.rand(values.shape, device=values.device) < share, replacement)
