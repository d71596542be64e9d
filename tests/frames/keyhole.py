"""A library of frames that has only names of cuDF, and arrays that have only names of CuPy.

Its columns are Arrow arrays. They are no pandas type, cannot be iterated over, and are no NumPy arrays:
whatever takes rows to the host by a way that cuDF does not have, or that would be slow there, fails. Which
names there are is recorded in `cudf_names.json`; `test_keyhole.py` holds every name here against it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from m2trec_merlin.frames import library
from m2trec_merlin.frames.cudf_frames import CudfFrames


class ListDtype:
    def __init__(self, element: Any) -> None:
        self.element_type = element


def _is_list(array: pa.Array) -> bool:
    return pa.types.is_list(array.type) or pa.types.is_large_list(array.type)


class _Closed:
    def __iter__(self) -> Any:
        raise TypeError(f"{type(self).__name__} object is not iterable")

    def __array__(self, *arguments: Any, **settings: Any) -> Any:
        raise TypeError("implicit conversion to a host NumPy array is not allowed")

    __array_interface__ = property(__array__)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **settings: Any) -> Series:
        assert method == "__call__" and not settings
        # Nulls stay null.
        (series,) = inputs
        values = ufunc(series.fillna(1).values)
        return Series(pa.array(values, mask=~series.notnull().values))


class Index(_Closed):
    def __init__(self, array: pa.Array) -> None:
        self._array = array

    def to_arrow(self) -> pa.Array:
        return _to_arrow(self._array)


def _to_arrow(array: pa.Array) -> pa.Array:
    # As cuDF: a column of strings without any value has no type.
    return (
        pa.nulls(len(array)) if array.null_count == len(array) and pa.types.is_string(array.type) else array
    )


class Series(_Closed):
    def __init__(self, data: Any = None) -> None:
        if isinstance(data, Series):
            data = data._array
        assert isinstance(data, pa.Array | np.ndarray | list), type(data)
        self._array = data if isinstance(data, pa.Array) else pa.array(data)

    @classmethod
    def from_arrow(cls, array: pa.Array) -> Series:
        assert isinstance(array, pa.Array) and not isinstance(array, pa.ChunkedArray)
        # cuDF has a null mask and a NaN beside each other, and no columns of nulls alone.
        return cls(array.cast(pa.string()) if pa.types.is_null(array.type) else array)

    @classmethod
    def from_pylibcudf(cls, col: Any, metadata: Any = None) -> Series:
        offsets, values = col.children
        assert col.kind == "LIST" and offsets.type == pa.int32() and len(offsets) == col.size + 1
        return cls(pa.ListArray.from_arrays(offsets, values))

    def to_pylibcudf(self, copy: bool = False) -> tuple[pa.Array, dict[str, Any]]:
        return self._array, {}

    def __len__(self) -> int:
        return len(self._array)

    @property
    def dtype(self) -> Any:
        if _is_list(self._array):
            return ListDtype(self._array.type.value_type)
        if pa.types.is_string(self._array.type):
            return np.dtype(object)
        return np.dtype(self._array.type.to_pandas_dtype())

    @property
    def values(self) -> np.ndarray:
        if self._array.null_count:
            raise ValueError("column must have no nulls")
        if self.dtype == object or isinstance(self.dtype, ListDtype):
            raise TypeError("strings and lists are no arrays")
        return self._array.to_numpy(zero_copy_only=False).copy()

    def to_cupy(self, dtype: Any = None, copy: bool = False, na_value: Any = None) -> np.ndarray:
        array = self._array if na_value is None else pc.fill_null(self._array, na_value)
        return Series(array).values.copy()

    def to_arrow(self) -> pa.Array:
        return _to_arrow(self._array)

    def factorize(self, sort: bool = False, use_na_sentinel: bool = True) -> tuple[np.ndarray, Index]:
        assert not _is_list(self._array), "lists cannot be numbered"
        encoded = self._array.dictionary_encode()
        codes = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False)
        order = pc.array_sort_indices(encoded.dictionary).to_numpy()
        if SORTED["factorize"]:  # as RAPIDS of 2023
            rank = np.append(np.argsort(order), -1)
            return rank[codes].astype(np.int32), Index(encoded.dictionary.take(pa.array(order)))
        return codes.astype(np.int8 if len(order) < 128 else np.int32), Index(encoded.dictionary)

    def take(self, indices: Any, axis: int = 0) -> Series:
        assert isinstance(indices, np.ndarray) and (not len(indices) or indices.min() >= 0)
        return Series(self._array.take(pa.array(indices)))

    def reset_index(self, drop: bool = False, inplace: bool = False) -> Series:
        assert drop and not inplace
        return self

    def astype(self, dtype: Any) -> Series:
        if np.dtype(dtype) == object:
            assert self.dtype == object
            return self
        return Series(self._array.cast(pa.from_numpy_dtype(np.dtype(dtype))))

    def nans_to_nulls(self) -> Series:
        if not pa.types.is_floating(self._array.type):
            return self
        return Series(pc.if_else(pc.fill_null(pc.is_nan(self._array), False), None, self._array))

    def fillna(self, value: Any = None) -> Series:
        return Series(pc.fill_null(self.nans_to_nulls()._array, value))

    def notnull(self) -> Series:
        return Series(self._array.is_valid())

    def __ge__(self, other: Any) -> Series:
        return Series(self.values >= other)

    def __add__(self, other: Any) -> Series:
        return Series(pc.add(self._array, pa.scalar(other, self._array.type)))

    @property
    def str(self) -> StringMethods:
        assert self.dtype == object, "no strings"
        return StringMethods(self)

    @property
    def list(self) -> ListMethods:
        assert _is_list(self._array), "no lists"
        return ListMethods(self)


class StringMethods:
    def __init__(self, parent: Series) -> None:
        self._array = parent._array

    def _words(self, delimiter: str) -> pa.Array:
        assert delimiter == " " and not self._array.null_count, "the index of the words would not fit"
        words = [[word for word in text.split(" ") if word] for text in self._array.to_pylist()]
        return pa.array(words, pa.list_(pa.string()))

    def tokenize(self, delimiter: str = " ") -> Series:
        return Series(self._words(delimiter).flatten())

    def token_count(self, delimiter: str = " ") -> Series:
        return Series(self._words(delimiter).value_lengths())

    def split(self, pat: Any = None, n: int = -1, expand: bool = False, regex: Any = None) -> Series:
        return Series(pc.split_pattern(self._array, pat))


class ListMethods:
    def __init__(self, parent: Series) -> None:
        self._array = parent._array

    @property
    def leaves(self) -> Series:
        return Series.from_arrow(self._array.flatten())

    def len(self) -> Series:
        return Series(self._array.value_lengths())


class DataFrame(_Closed):
    def __init__(self, data: dict[str, Series] | None = None) -> None:
        self._columns: dict[str, Series] = dict(data or {})
        assert all(isinstance(column, Series) for column in self._columns.values())

    def __len__(self) -> int:
        return max(map(len, self._columns.values()), default=0)

    @property
    def columns(self) -> pd.Index:
        return pd.Index(list(self._columns))

    @columns.setter
    def columns(self, names: list[str]) -> None:
        self._columns = dict(zip(names, self._columns.values(), strict=True))

    def keys(self) -> pd.Index:
        return self.columns

    def __contains__(self, name: object) -> bool:
        return name in self._columns

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            return self._columns[key]
        if isinstance(key, Series):
            assert key.dtype == bool and len(key) == len(self)
            return DataFrame({n: Series(c._array.filter(key._array)) for n, c in self._columns.items()})
        assert isinstance(key, list)
        return DataFrame({name: self._columns[name] for name in key})

    def __setitem__(self, key: Any, value: Any) -> None:
        if isinstance(key, list):
            assert isinstance(value, DataFrame)
            self._columns |= {name: value[name] for name in key}
            return
        assert isinstance(value, Series) and (not self._columns or len(value) == len(self))
        self._columns[key] = value

    def copy(self, deep: bool = True) -> DataFrame:
        return DataFrame(self._columns)

    def take(self, indices: Any, axis: int = 0) -> DataFrame:
        return DataFrame({name: column.take(indices) for name, column in self._columns.items()})

    def reset_index(self, drop: bool = False, inplace: bool = False) -> DataFrame | None:
        assert drop
        return None if inplace else self

    def fillna(self, value: Any = None) -> DataFrame:
        return DataFrame({name: column.fillna(value) for name, column in self._columns.items()})


def concat(objs: list[Any], axis: int = 0, ignore_index: bool = False) -> Any:
    if axis == 1:
        return DataFrame({name: column for frame in objs for name, column in frame._columns.items()})
    assert len({series._array.type for series in objs}) == 1
    return Series(pa.concat_arrays([series._array for series in objs]))


def read_parquet(path: Any, columns: list[str]) -> DataFrame:
    paths = path if isinstance(path, list) else [path]
    table = pa.concat_tables([pq.read_table(one, columns=columns) for one in paths]).combine_chunks()
    arrays = {name: table.column(name).combine_chunks() for name in columns}
    return DataFrame({name: Series.from_arrow(_plain(array)) for name, array in arrays.items()})


def _plain(array: pa.Array) -> pa.Array:
    array = array.chunk(0) if isinstance(array, pa.ChunkedArray) else array
    if pa.types.is_large_string(array.type):
        return array.cast(pa.string())
    if pa.types.is_fixed_size_list(array.type):
        # Of lists cuDF knows those of any length alone.
        return array.cast(pa.list_(array.type.value_type))
    return array


#: Whether `factorize` numbers in the order of the values, as RAPIDS of 2023, or by first mention, as today's.
SORTED = {"factorize": False}

#: Names of CuPy that may be used, those of its arrays apart.
CUPY = (
    *("arange", "argsort", "asarray", "asnumpy", "bincount", "bool_", "concatenate", "cumsum", "flatnonzero"),
    *("full", "int64", "isfinite", "maximum", "minimum", "nan", "ones", "searchsorted", "where", "zeros"),
)


def cupy() -> Any:
    """NumPy with names of CuPy alone."""
    functions = {name: getattr(np, name) for name in CUPY if name != "asnumpy"}
    runtime = SimpleNamespace(getDeviceCount=lambda: 1)
    return SimpleNamespace(**functions, asnumpy=np.asarray, cuda=SimpleNamespace(runtime=runtime))


def cudf() -> ModuleType:
    """The library as a module."""
    module = ModuleType("cudf")
    for public in (DataFrame, Series, Index, ListDtype, concat, read_parquet):
        setattr(module, public.__name__, public)
    module.api = SimpleNamespace(types=SimpleNamespace(is_string_dtype=lambda kind: kind == np.dtype(object)))
    return module


def rmm() -> dict[str, ModuleType]:
    """What hands out memory."""
    package, resources = ModuleType("rmm"), ModuleType("rmm.mr")
    package.mr = resources
    resources.CudaAsyncMemoryResource = object
    resources.set_current_device_resource = lambda resource: None
    return {"rmm": package, "rmm.mr": resources}


def pylibcudf() -> ModuleType:
    """What columns of lists are built with."""
    module = ModuleType("pylibcudf")

    class Column:
        def __init__(self, *arguments: Any) -> None:
            self.kind, self.size, *rest, self.children = arguments
            assert rest == [None, None, 0, 0]

    module.Column, module.DataType = Column, lambda kind: kind
    module.TypeId = SimpleNamespace(LIST="LIST")
    return module


# `frames_of` tells libraries by the package of a frame's class.
DataFrame.__module__ = "cudf"


@contextmanager
def installed() -> Iterator[CudfFrames]:
    """Let `import cudf`, `cupy` and `pylibcudf` find this library; Merlin forgets it afterwards."""
    from merlin.core import dispatch
    from merlin.dag import executors

    with pytest.MonkeyPatch.context() as patch:
        modules = {"cudf": cudf(), "cupy": cupy(), "pylibcudf": pylibcudf(), **rmm()}
        for name, module in modules.items():
            patch.setitem(sys.modules, name, module)
        for module, name in (
            (dispatch, "cudf"),
            (dispatch, "dask_cudf"),
            (executors, "cudf"),
            (executors, "HAS_GPU"),
        ):
            patch.setattr(module, name, getattr(module, name))
        library.cache_clear()
        try:
            yield library("cudf")  # type: ignore[misc]
        finally:
            library.cache_clear()
