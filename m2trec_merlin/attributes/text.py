"""Kind `text`: a title or a description, as subwords. Operator: SubwordTokenize."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field as Setting
from pydantic import field_validator

from m2trec_merlin.attributes.base import Attribute, Embedding, Node
from m2trec_merlin.attributes.profiles import Profile, count_words, most_frequent, quantiles
from m2trec_merlin.encoded import Field, Layout
from m2trec_merlin.sections import Name, Width

if TYPE_CHECKING:
    from nvtabular import Workflow


class Text(Attribute):
    """Words, cut into subwords of a learned vocabulary."""

    kind: Literal["text"]
    max_tokens: int = Setting(16, ge=1, le=10_000, description="tokens kept")
    vocabulary_size: int = Setting(8000, ge=8, le=1_000_000, description="subwords to learn")
    shared_vocabulary: Name | None = Setting(None, description="use the vocabulary of this text attribute")
    dim: Width | None = Setting(None, description="embedding width; default: by vocabulary size")
    pooling: Literal["mean", "max"] = "mean"
    pair_buckets: int = Setting(
        16_384,
        ge=0,
        le=100_000_000,
        description="vectors for pairs of neighbouring subwords, found by a hash; 0: none",
    )

    layout: ClassVar[Layout] = Layout.ID_LISTS
    gives_titles: ClassVar[bool] = True
    learns: ClassVar[str] = "subword tokenisers"
    packages: ClassVar[tuple[str, ...]] = ("tokenizers",)

    @field_validator("pair_buckets")
    @classmethod
    def _pairs_have_a_bucket(cls, buckets: int) -> int:
        if buckets == 1:
            raise ValueError("row 0 of the table is none, so give 0 for none, or at least 2")
        return buckets

    @property
    def embedding(self) -> Embedding:
        """One vector per subword, pooled, and vectors for pairs of neighbouring subwords."""
        return Embedding(self.dim, self.pooling, self.pair_buckets)

    def contradictions(self, attributes: Mapping[str, Attribute]) -> list[str]:
        """Report also a `shared_vocabulary` that leads to no text attribute, or in a circle."""
        problems = super().contradictions(attributes)
        followed = [self.name]
        while isinstance(member := attributes.get(followed[-1]), Text) and member.shared_vocabulary:
            followed.append(member.shared_vocabulary)
            if followed[-1] in followed[:-1]:
                return [*problems, f"shared_vocabulary goes round in a circle: {' -> '.join(followed)}"]
        if not isinstance(member, Text):
            problems.append(
                f"attribute '{followed[-2]}' shares the vocabulary of '{followed[-1]}': not a text attribute"
            )
        return problems

    def vocabulary_owner(self, attributes: Mapping[str, Attribute]) -> str:
        """Follow `shared_vocabulary` to its end."""
        owner = self.name
        while (next_owner := getattr(attributes[owner], "shared_vocabulary", None)) is not None:
            owner = next_owner
        return owner

    def profile(self, values: pa.Array, counts: np.ndarray) -> Profile:
        """Count also the words per item."""
        words = count_words(values)
        return Profile(
            most_frequent(values, counts),
            lengths=quantiles(words, counts),
            counted="words",
            too_long=int(counts[words > self.max_tokens].sum()),
        )

    def encode(self, source: Node, members: Sequence[Attribute], storage: Path) -> Node:
        """Cut text into subwords of one vocabulary, learned from all members."""
        from m2trec_merlin.attributes.subwords import SubwordTokenize

        lengths = {member.name: member.max_tokens for member in members if isinstance(member, Text)}
        return source >> SubwordTokenize(self.vocabulary_size, lengths, shared=True)

    def write_vocabulary(self, workflow: Workflow, folder: Path) -> Field:
        """Write the tokenizer."""
        from m2trec_merlin.attributes.operators import find_operator
        from m2trec_merlin.attributes.subwords import SubwordTokenize

        tokenizer = find_operator(workflow, self.name, SubwordTokenize).tokenizer(self.name)
        tokenizer.save(str(folder / f"{self.name}.json"))
        return Field(self.name, self.layout, tokenizer.get_vocab_size())
