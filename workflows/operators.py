"""NVTabular operators for the kinds of attributes: small classes, so that a workflow can be saved.

Each takes frames of pandas or cuDF. A missing value becomes the id MISSING, a vector of zeros, or NaN until
`FillMissing` follows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from merlin.core.dispatch import is_list_dtype
from merlin.schema import ColumnSchema, Schema, Tags
from nvtabular import ColumnSelector
from nvtabular.ops import Categorify, Operator

from m2trec_merlin.catalogue import FIRST_VALUE, MISSING
from m2trec_merlin.columns import (
    as_text,
    fill_empty,
    from_arrow,
    gather_lists,
    is_list,
    list_offsets,
    to_arrow,
    without_nulls,
)
from m2trec_merlin.errors import DataError
from m2trec_merlin.ids import IdIndex
from m2trec_merlin.merlin_adapter import categorify_frame, complete_vocabulary, mark_empty_lists


class ColumnOperator(Operator):
    """An operator that replaces each column by a function of that column alone."""

    def transform(self, col_selector: ColumnSelector, df: Any) -> Any:
        """Return a frame of the selected columns, each replaced by `convert` of it."""
        converted = type(df)()
        for name in col_selector.names:
            converted[name] = from_arrow(self.convert(name, df[name]), like=df[name])
        return converted

    def convert(self, name: str, series: Any) -> pa.Array:
        """Return the new values of column `name`, as many as the old ones."""
        raise NotImplementedError


class AsText(ColumnOperator):
    """Values of any type as strings; see `columns.as_text` for which string."""

    def convert(self, name: str, series: Any) -> pa.Array:
        """Return strings, null where missing or empty."""
        return as_text(series)

    @property
    def output_dtype(self) -> Any:
        """Strings."""
        return np.str_


class SplitValues(ColumnOperator):
    """Several values per row, held as a list or as one string with separators, as a list of strings.

    Args:
        separator: what stands between the values of one string.
        max_values: keep the first so many of a row.
    """

    def __init__(self, separator: str, max_values: int) -> None:
        super().__init__()
        self.separator = separator
        self.max_values = max_values

    def transform(self, col_selector: ColumnSelector, df: Any) -> Any:
        """Return a frame of lists of strings, [null] where a row has no value."""
        lists = super().transform(col_selector, df)
        for name in col_selector.names:
            lists[name] = from_arrow(mark_empty_lists(to_arrow(lists[name])), like=lists[name])
        return lists

    def convert(self, name: str, series: Any) -> pa.Array:
        """Return lists of strings, empty where a row has no value."""
        try:
            lists = to_arrow(series)
        except pa.ArrowException:
            # Requests may mix lists and strings in one column, or types in one list.
            lists = pa.array([self._split_one(value) for value in series], pa.list_(pa.string()))
        if not is_list(lists):
            lists = pc.split_pattern(as_text(series), self.separator)
        values = as_text(lists.flatten().to_pandas().rename(name))
        parents = pc.list_parent_indices(lists).to_numpy(zero_copy_only=False)
        return gather_lists(values, parents, len(lists), self.max_values)

    def _split_one(self, value: Any) -> list[str | None]:
        several = isinstance(value, (list, tuple, np.ndarray))
        strings = as_text(pd.Series(list(value) if several else [value], dtype=object)).to_pylist()
        return strings if several or strings[0] is None else strings[0].split(self.separator)

    def _compute_shape(self, col_schema: ColumnSchema, input_schema: Schema) -> ColumnSchema:
        return col_schema.with_shape((None, (1, self.max_values)))

    @property
    def output_dtype(self) -> Any:
        """Strings."""
        return np.str_


class Categories(Categorify):
    """NVTabular's Categorify: 0 padding, 1 missing, 2 other, values from 3 by falling frequency.

    What it adds is described at the functions of `merlin_adapter` that it calls. On pandas frames, NVTabular
    merges with the vocabulary and sorts for every column of every frame; here the distinct values of a frame
    are looked up in an index that is made once.
    """

    _indexes: dict[str, IdIndex] | None = None

    def fit_finalize(self, categories: dict[str, str]) -> None:
        """Take over the fitted vocabulary files, put in one order and made if they are absent."""
        super().fit_finalize(categories)
        self._indexes = None
        for name, path in self.categories.items():
            complete_vocabulary(path, name)

    def transform(self, col_selector: ColumnSelector, df: Any) -> Any:
        """Encode, also where a frame holds no value of a column; a list without values becomes [MISSING]."""
        if isinstance(df, pd.DataFrame):
            encoded = df.copy(deep=False)
            for name in col_selector.names:
                ids = from_arrow(self._encode(name, to_arrow(df[name])), like=df[name])
                encoded[name] = ids.set_axis(df.index)
            return encoded
        lists = [name for name in col_selector.names if is_list_dtype(df[name])]
        frame = df.copy(deep=False)
        for name in lists:
            frame[name] = from_arrow(without_nulls(to_arrow(df[name])), like=df[name])
        encoded = categorify_frame(super().transform, col_selector, frame)
        for name in lists:
            encoded[name] = from_arrow(fill_empty(to_arrow(encoded[name]), MISSING), like=df[name])
        return encoded

    def _encode(self, name: str, values: pa.Array) -> pa.Array:
        if is_list(values):
            lists = without_nulls(values)
            ids = pa.ListArray.from_arrays(lists.offsets, self._encode(name, lists.values))
            return fill_empty(ids, MISSING)
        distinct = pc.dictionary_encode(values.cast(pa.string()))
        positions = self._index(name).find(distinct.dictionary.to_pandas())
        ids = np.where(positions < 0, FIRST_VALUE - 1, positions + FIRST_VALUE).astype(self.output_dtype)
        return pc.fill_null(pa.array(ids).take(distinct.indices), MISSING)

    def _index(self, name: str) -> IdIndex:
        indexes = self._indexes = self._indexes or {}
        if name not in indexes:
            indexes[name] = IdIndex(pd.Series(vocabulary_values(self, name), dtype=object))
        return indexes[name]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_indexes": None}


class AsNumber(ColumnOperator):
    """Numbers as float64; NaN where missing, infinite, not a number, or below `minimum`."""

    def __init__(self, minimum: float | None = None) -> None:
        super().__init__()
        self.minimum = minimum

    def convert(self, name: str, series: Any) -> pa.Array:
        """Return float64 values, null where there is no usable number."""
        return numbers(series, self.minimum)

    @property
    def output_dtype(self) -> Any:
        """Double precision, since sums over the whole column follow."""
        return np.float64


def numbers(series: Any, minimum: float | None = None) -> pa.Array:
    """Return a column as float64, null where it holds no finite number of at least `minimum`."""
    host = series if isinstance(series, pd.Series) else series.to_pandas()
    values = pd.to_numeric(host, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    usable = np.isfinite(values)
    if minimum is not None:
        usable &= values >= minimum
    return pa.array(values, mask=~usable)


class AsVector(ColumnOperator):
    """Vectors of one size, float32; all zeros where missing, zero where an entry is not finite."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def convert(self, name: str, series: Any) -> pa.Array:
        """Return lists of `size` float32 values.

        Raises:
            DataError: a row holds something else than a list of `size` numbers.
        """
        problem = vector_problem(series, self.size)
        if problem:
            raise DataError(f"attribute '{name}'", [problem])
        array = to_arrow(series)
        matrix = np.zeros((len(array), self.size), dtype=np.float32)
        if is_list(array):
            flat = array.flatten().cast(pa.float32()).to_numpy(zero_copy_only=False)
            matrix[array.is_valid().to_numpy(zero_copy_only=False)] = flat.reshape(-1, self.size)
        matrix[~np.isfinite(matrix)] = 0
        return lists_of_size(matrix)

    def _compute_shape(self, col_schema: ColumnSchema, input_schema: Schema) -> ColumnSchema:
        return col_schema.with_shape((None, self.size))

    @property
    def output_tags(self) -> list[Tags]:
        """A vector made elsewhere."""
        return [Tags.EMBEDDING]

    @property
    def output_dtype(self) -> Any:
        """Single precision, as the model computes."""
        return np.float32


def lists_of_size(matrix: np.ndarray) -> pa.ListArray:
    """Return the lines of a matrix [n, size] as lists."""
    n, size = matrix.shape
    offsets = list_offsets(np.full(n, size))
    return pa.ListArray.from_arrays(offsets, pa.array(matrix.reshape(-1)))


def vector_problem(series: Any, size: int) -> str | None:
    """Return what keeps a column from being vectors of `size` numbers, or None."""
    try:
        array = to_arrow(series)
        if array.null_count == len(array):
            return None
        if not is_list(array):
            return f"expected lists of {size} numbers, found {array.type}"
        array.flatten().cast(pa.float32())
    except pa.ArrowException as error:
        return f"expected lists of {size} numbers: {error}"
    lengths = pc.fill_null(pc.list_value_length(array), size).to_numpy(zero_copy_only=False)
    wrong = np.flatnonzero(lengths != size)
    if len(wrong):
        return f"{len(wrong)} vectors are not of size {size}; first: row {wrong[0]}, size {lengths[wrong[0]]}"
    return None


class AtLeast:
    """Keep rows whose `column` is at least `minimum`: a filter for `nvtabular.ops.Filter`, savable."""

    def __init__(self, column: str, minimum: int) -> None:
        self.column = column
        self.minimum = minimum

    def __call__(self, frame: Any) -> Any:
        """Return the mask of rows to keep."""
        return frame[self.column] >= self.minimum


def vocabulary_values(operator: Categorify, name: str) -> list[str]:
    """Return the values of a fitted category vocabulary, in the order of their ids."""
    return list(pd.read_parquet(operator.categories[name])[name])
