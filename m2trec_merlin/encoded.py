"""Encoded attributes of items or events: one type for the catalogue, the model and the server.

Every attribute, whatever its kind, is encoded in one of four layouts. Readers of encoded items only look at
the layout; the meaning of the kinds is left to `attributes`.

    ids        one id per item              int64 [n]
    id_lists   a list of ids per item       int64 [V] values, int64 [n + 1] offsets; no list is empty
    numbers    one number per item          float32 [n]
    vectors    `size` numbers per item      float32 [n, size]

Shapes: n items, V values of all lists, concatenated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa

from m2trec_merlin.arrays import offsets_of, ragged_positions

#: The catalogue row that stands for padding, an unknown item, or no target. Items start at row 1.
#: Shape legends count N items and R = N + 1 catalogue rows, this one included.
NO_ITEM = 0

#: The three ids that every vocabulary reserves, as NVTabular's Categorify does, and the first id of a value.
PADDING, MISSING, OUT_OF_VOCABULARY, FIRST_VALUE = 0, 1, 2, 3

#: Suffixes of the names of a list attribute's two tensors; other layouts have one tensor, without a suffix.
VALUES, OFFSETS = "__values", "__offsets"


class Layout(str, Enum):
    """The layout of an attribute's values in memory."""

    IDS = "ids"
    ID_LISTS = "id_lists"
    NUMBERS = "numbers"
    VECTORS = "vectors"

    @property
    def has_vocabulary(self) -> bool:
        """Whether the values are ids of a vocabulary."""
        return self in (Layout.IDS, Layout.ID_LISTS)

    @property
    def dtype(self) -> np.dtype:
        """The type of a value: int64 for ids, float32 for numbers."""
        return np.dtype(np.int64 if self.has_vocabulary else np.float32)


@dataclass(frozen=True)
class Field:
    """Description of an encoded attribute: its name, layout and size.

    Attributes:
        name: name of the attribute.
        layout: the layout of its values.
        size: number of ids in its vocabulary, the reserved ones included; for vectors their length; 1 for
            numbers.
    """

    name: str
    layout: Layout
    size: int = 1

    @classmethod
    def from_json(cls, described: Mapping[str, Any]) -> Field:
        """Return the field that `to_json` described."""
        return cls(described["name"], Layout(described["layout"]), described["size"])

    def to_json(self) -> dict[str, Any]:
        """Return the field as a JSON object."""
        return {"name": self.name, "layout": self.layout.value, "size": self.size}

    @property
    def arrow_type(self) -> pa.DataType:
        """The type of the attribute's column in Parquet files."""
        if self.layout is Layout.VECTORS:
            return pa.list_(pa.float32(), self.size)
        value = pa.from_numpy_dtype(self.layout.dtype)
        return pa.list_(value) if self.layout is Layout.ID_LISTS else value

    @property
    def tensor_names(self) -> tuple[str, ...]:
        """Names of the attribute's tensors in the exported graphs and between Triton's models."""
        if self.layout is Layout.ID_LISTS:
            return f"{self.name}{VALUES}", f"{self.name}{OFFSETS}"
        return (self.name,)


@dataclass(frozen=True)
class EncodedColumn:
    """One attribute of n items.

    Attributes:
        field: the attribute's name, layout and size.
        values: the values, as in the layouts above.
        offsets: where each list starts, int64 [n + 1]; None for layouts other than lists.
    """

    field: Field
    values: np.ndarray
    offsets: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.values) if self.offsets is None else len(self.offsets) - 1

    @classmethod
    def empty(cls, field: Field) -> EncodedColumn:
        """Return a column of no items."""
        shape = (0, field.size) if field.layout is Layout.VECTORS else (0,)
        offsets = np.zeros(1, np.int64) if field.layout is Layout.ID_LISTS else None
        return cls(field, np.zeros(shape, field.layout.dtype), offsets)

    @classmethod
    def no_item(cls, field: Field) -> EncodedColumn:
        """Return a column with just the value of row NO_ITEM: a missing value, zero, or a vector of zeros."""
        shape = (1, field.size) if field.layout is Layout.VECTORS else (1,)
        fill = MISSING if field.layout.has_vocabulary else 0
        offsets = np.array([0, 1], np.int64) if field.layout is Layout.ID_LISTS else None
        return cls(field, np.full(shape, fill, field.layout.dtype), offsets)

    @classmethod
    def missing(cls, field: Field, count: int) -> EncodedColumn:
        """Return a column of `count` items that lack the attribute."""
        return cls.no_item(field).take(np.zeros(count, np.int64))

    @classmethod
    def from_arrow(cls, field: Field, array: pa.Array | pa.ChunkedArray) -> EncodedColumn:
        """Read a column as the items workflow wrote it.

        Raises:
            ValueError: a list is empty, or vectors are not of the field's size.
        """
        array = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
        dtype = field.layout.dtype
        if field.layout in (Layout.IDS, Layout.NUMBERS):
            return cls(field, array.to_numpy(zero_copy_only=False).astype(dtype))
        flat = array.flatten().to_numpy(zero_copy_only=False).astype(dtype)
        if field.layout is Layout.VECTORS:
            return cls(field, flat.reshape(len(array), field.size))
        lengths = array.value_lengths().to_numpy(zero_copy_only=False).astype(np.int64)
        if len(lengths) and lengths.min() < 1:
            raise ValueError(f"attribute '{field.name}' has an empty list")
        return cls(field, flat, offsets_of(lengths))

    @classmethod
    def join(cls, parts: Sequence[EncodedColumn]) -> EncodedColumn:
        """Concatenate the items of several columns, at least one."""
        values = np.concatenate([part.values for part in parts])
        if parts[0].offsets is None:
            return cls(parts[0].field, values)
        return cls(parts[0].field, values, offsets_of(np.concatenate([part.lengths for part in parts])))

    @property
    def is_whole(self) -> bool:
        """Whether type and shape fit the layout, ids the vocabulary, and offsets the values."""
        values, offsets, vector = self.values, self.offsets, self.field.layout is Layout.VECTORS
        if values.dtype != self.field.layout.dtype or values.shape[1:] != (
            (self.field.size,) if vector else ()
        ):
            return False
        if self.field.layout.has_vocabulary and not ((values >= 0) & (values < self.field.size)).all():
            return False
        if offsets is None:
            return self.field.layout is not Layout.ID_LISTS
        ends = offsets.dtype == np.int64 and offsets.ndim == 1 and len(offsets) and not offsets[0]
        return bool(ends and offsets[-1] == len(values) and (np.diff(offsets) > 0).all())

    @property
    def lengths(self) -> np.ndarray:
        """Number of values of each item, int64 [n]."""
        return np.ones(len(self), np.int64) if self.offsets is None else np.diff(self.offsets)

    @property
    def codes(self) -> np.ndarray:
        """A number from 0 on for each item, the same for items whose values are the same bits, int64 [n]."""
        starts = np.arange(len(self.values) + 1) if self.offsets is None else self.offsets
        width = self.values[:1].nbytes if len(self.values) else 0
        buffers = [None, pa.py_buffer(starts * width), pa.py_buffer(np.ascontiguousarray(self.values))]
        of_bytes = pa.Array.from_buffers(pa.large_binary(), len(self), buffers)
        return of_bytes.dictionary_encode().indices.to_numpy().astype(np.int64)

    def of(self, item: int) -> np.ndarray:
        """Return the values of one item: a list of ids, or an array of one value or vector."""
        start, stop = (item, item + 1) if self.offsets is None else self.offsets[item : item + 2]
        return self.values[start:stop]

    def slice(self, start: int, stop: int) -> EncodedColumn:
        """Return the items `start` to `stop` - 1."""
        if self.offsets is None:
            return EncodedColumn(self.field, self.values[start:stop])
        offsets = self.offsets[start : stop + 1]
        return EncodedColumn(self.field, self.values[offsets[0] : offsets[-1]], offsets - offsets[0])

    def take(self, items: np.ndarray) -> EncodedColumn:
        """Return the items at the indices `items`, int64 [m], in that order."""
        if self.offsets is None:
            return EncodedColumn(self.field, self.values[items])
        lengths = self.lengths[items]
        return EncodedColumn(
            self.field, self.values[ragged_positions(self.offsets[items], lengths)], offsets_of(lengths)
        )

    @property
    def tensors(self) -> dict[str, np.ndarray]:
        """The values, and for lists the offsets, by tensor name (`Field.tensor_names`)."""
        arrays = (self.values,) if self.offsets is None else (self.values, self.offsets)
        return dict(zip(self.field.tensor_names, arrays, strict=True))


#: Encoded items, or events: attributes by name, all columns of the same length.
EncodedItems = Mapping[str, EncodedColumn]


def missing_items(fields: Sequence[Field], count: int) -> EncodedItems:
    """Return `count` encoded items, or events, whose attributes are all missing."""
    return {field.name: EncodedColumn.missing(field, count) for field in fields}


def no_items(fields: Sequence[Field]) -> EncodedItems:
    """Return encoded items of length 0."""
    return {field.name: EncodedColumn.empty(field) for field in fields}


def join_items(parts: Sequence[EncodedItems]) -> EncodedItems:
    """Concatenate several groups of items, at least one."""
    return {name: EncodedColumn.join([part[name] for part in parts]) for name in parts[0]}


def split_items(items: EncodedItems, counts: Sequence[int]) -> list[EncodedItems]:
    """Split items into groups of the sizes in `counts`, in order: the reverse of `join_items`."""
    bounds = offsets_of(np.array(counts, np.int64)).tolist()
    return [
        {name: column.slice(start, stop) for name, column in items.items()}
        for start, stop in pairwise(bounds)
    ]


def to_tensors(items: EncodedItems) -> dict[str, np.ndarray]:
    """Return the arrays of all attributes, by tensor name."""
    return {name: array for column in items.values() for name, array in column.tensors.items()}


def from_tensors(fields: Sequence[Field], tensors: Mapping[str, np.ndarray]) -> EncodedItems:
    """Restore encoded items from arrays by tensor name: the reverse of `to_tensors`.

    Raises:
        KeyError: a tensor is missing.
    """
    return {f.name: EncodedColumn(f, *(tensors[name] for name in f.tensor_names)) for f in fields}
