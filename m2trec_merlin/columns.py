"""Columns of pandas or cuDF frames as Arrow arrays, where our operators do their work.

One set of Arrow kernels then serves both kinds of frame, with no Python per row.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from m2trec_merlin.errors import DataError


def to_arrow(series: Any) -> pa.Array:
    """Return a column as an Arrow array; NaN and None are null.

    Raises:
        pa.ArrowException: the values are of kinds that do not go together, such as numbers and lists.
    """
    if not isinstance(series, pd.Series):
        return series.to_arrow()
    array = pa.array(series, from_pandas=True)
    array = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
    return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array


def from_arrow(array: pa.Array, like: Any) -> Any:
    """Return an Arrow array as a column of the same library as `like`, with an index that counts from 0."""
    return array.to_pandas() if isinstance(like, pd.Series) else type(like).from_arrow(array)


def is_list(array: pa.Array) -> bool:
    """Tell whether an array holds lists, of fixed or varying length."""
    kind = array.type
    return pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)


def as_text(series: Any) -> pa.Array:
    """Return a column of anything as trimmed strings, the same string for the same value on every path.

    A whole number is written without a fraction even where missing values made its column a float column,
    so that a category 12 read from a table, 12.0 read from another and "12" in a request are one. Empty
    strings are missing.

    Raises:
        DataError: a value is a list or another structure.
    """
    try:
        text = _text(to_arrow(series))
    except pa.ArrowException:
        # Values of several types: requests may mix them, tables hardly ever.
        text = pa.array([_text_of_one(value, series.name) for value in series], pa.string())
    text = pc.utf8_trim_whitespace(text.cast(pa.string()))
    return pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)


def _text_of_one(value: Any, name: str) -> str | None:
    try:
        return _text(pa.array([value], from_pandas=True))[0].as_py()
    except pa.ArrowException:
        raise DataError(f"column '{name}'", [f"expected single values, found {value!r}"]) from None


def _text(array: pa.Array) -> pa.Array:
    if not pa.types.is_floating(array.type):
        return array.cast(pa.string())
    exact = pc.and_(pc.equal(array, pc.floor(array)), pc.less(pc.abs(array), 2.0**53))
    whole = pc.if_else(exact, array, 0.0).cast(pa.int64()).cast(pa.string())
    return pc.if_else(exact, whole, array.cast(pa.string()))


def gather_lists(
    values: pa.Array, parents: np.ndarray, rows: int, longest: int | None = None
) -> pa.ListArray:
    """Return lists of the values that are not null.

    Args:
        values: of all lists, one after another.
        parents: for each value, the number of its list, in rising order.
        rows: how many lists there are.
        longest: keep the first so many values of a list.
    """
    known = values.is_valid().to_numpy(zero_copy_only=False)
    values, parents = values.filter(pa.array(known)), parents[known]
    counts = np.bincount(parents, minlength=rows)
    if longest is not None:
        place = np.arange(len(parents)) - (np.cumsum(counts) - counts)[parents]
        values, counts = values.filter(pa.array(place < longest)), np.minimum(counts, longest)
    return pa.ListArray.from_arrays(list_offsets(counts), values)


def without_nulls(lists: pa.Array) -> pa.ListArray:
    """Return lists without their null entries; a null list is empty."""
    parents = pc.list_parent_indices(lists).to_numpy(zero_copy_only=False)
    return gather_lists(lists.flatten(), parents, len(lists))


def fill_empty(lists: pa.ListArray, value: Any) -> pa.ListArray:
    """Replace empty and null lists by [value]."""
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
    values = lists.flatten()
    ends = np.cumsum(lengths)
    # The value stands behind all others; empty lists take it from there.
    source = np.insert(np.arange(len(values)), (ends - lengths)[lengths == 0], len(values))
    extended = pa.concat_arrays([values, pa.array([value], values.type)])
    offsets = list_offsets(np.maximum(lengths, 1))
    return pa.ListArray.from_arrays(offsets, extended.take(pa.array(source)))


def list_offsets(lengths: np.ndarray) -> pa.Array:
    """Return where each list starts, and where the last one ends."""
    return pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int32())
