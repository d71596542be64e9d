"""Kind `vector`: a precomputed vector of fixed length, such as an image's embedding. Operator: AsVector."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field as Setting

from m2trec_merlin.attributes.base import Attribute, Embedding, Node
from m2trec_merlin.attributes.profiles import Profile
from m2trec_merlin.attributes.raw_values import Fault, are_lists
from m2trec_merlin.columns import as_doubles, fit_float32, to_arrow, vectors
from m2trec_merlin.encoded import Field, Layout
from m2trec_merlin.frames import Column, Frames
from m2trec_merlin.sections import Width

if TYPE_CHECKING:
    from nvtabular import Workflow

_DIGEST_SIZE = 16


class Vector(Attribute):
    """A vector of `size` numbers."""

    kind: Literal["vector"]
    size: Width = Setting(description="its length")
    dim: Width | None = Setting(
        None, description="width that it is projected to; default: its size, at most max_dim"
    )

    layout: ClassVar[Layout] = Layout.VECTORS

    @property
    def embedding(self) -> Embedding:
        """A linear projection of the vector."""
        return Embedding(self.dim)

    def reading_settings(self) -> dict[str, Any]:
        """Add the length of the vector."""
        return {**super().reading_settings(), "size": self.size}

    def faults(self, values: pd.Series) -> Iterator[Fault]:
        """Yield values that are no lists, are of another length, or hold anything but finite numbers."""
        is_list = are_lists(values)
        lists = values[is_list]
        lengths, finite = _measure(lists)
        right = lengths == self.size
        yield Fault("is not a list of numbers", values, ~is_list, "use Parquet, which has lists")
        yield Fault(f"is not of length {self.size}", pd.Series(lengths, lists.index, dtype=object), ~right)
        yield Fault("holds values that are not finite numbers", lists, right & ~finite)

    def value_schema(self) -> dict[str, Any]:
        """Allow lists of `size` numbers."""
        length = {"minItems": self.size, "maxItems": self.size}
        return {"type": ["array"], "items": {"type": "number"}, **length}

    def comparable(self, values: pd.Series) -> pa.Array:
        """Return a digest of each vector, computed part by part to save memory."""
        digests: list[bytes | None] = []
        for begin in range(0, len(values), self.items_at_a_time):
            some = values.iloc[begin : begin + self.items_at_a_time]
            matrix = vectors(some, self.size).flatten().to_numpy().reshape(-1, self.size)
            digests += [
                blake2b(vector.tobytes(), digest_size=_DIGEST_SIZE).digest() if known else None
                for vector, known in zip(matrix, some.notna(), strict=True)
            ]
        return pa.array(digests, pa.binary(_DIGEST_SIZE))

    def profile(self, values: pa.Array, counts: np.ndarray) -> Profile:
        """Return an empty profile: precomputed numbers tell a person little."""
        return Profile()

    def encode(self, source: Node, members: Sequence[Attribute], storage: Path) -> Node:
        """Keep the numbers as they are."""
        from m2trec_merlin.attributes.operators import ConvertColumns

        return source >> ConvertColumns(AsVector(self.size))

    def write_vocabulary(self, workflow: Workflow, folder: Path) -> Field:
        """Write nothing."""
        return Field(self.name, self.layout, self.size)


class AsVector:
    """Convert to float32 vectors of one size; all zeros where missing, zero where an entry is not finite."""

    dtype = np.float32

    def __init__(self, size: int) -> None:
        self.size = size
        self.shape = (size,)

    @property
    def tags(self) -> tuple[Any, ...]:
        """The tag of a precomputed vector."""
        from merlin.schema import Tags

        return (Tags.EMBEDDING,)

    def __call__(self, name: str, column: Column, frames: Frames) -> Column:
        """Return lists of `size` float32 values.

        Raises:
            DataError: a row holds anything other than a list of `size` numbers.
        """
        return frames.vectors(column, name, self.size)


def _measure(vectors: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Return the length of each vector, and whether all its values are finite numbers."""
    try:
        array = to_arrow(vectors)
        flat = array.flatten()
        if flat.null_count or not (pa.types.is_floating(flat.type) or pa.types.is_integer(flat.type)):
            raise pa.ArrowTypeError("not plain numbers")
    except (pa.ArrowException, AttributeError):
        # Values of several types: look at each vector.
        lengths = np.array([len(vector) for vector in vectors], np.int64)
        return lengths, np.array([_is_finite(vector) for vector in vectors], bool)
    lengths = pc.list_value_length(array).to_numpy(zero_copy_only=False).astype(np.int64)
    wrong = ~fit_float32(flat.to_numpy(zero_copy_only=False))
    parents = np.repeat(np.arange(len(lengths)), lengths)
    finite = np.ones(len(lengths), bool)
    finite[parents[wrong]] = False
    return lengths, finite


def _is_finite(vector: Iterable[object]) -> bool:
    return bool(fit_float32(as_doubles(pd.Series(list(vector), dtype=object))).all())
