"""Conversion of raw columns to Arrow arrays of texts, numbers, vectors and lists, without Python loops."""

from __future__ import annotations

import reprlib
from collections.abc import Sequence, Sized
from decimal import Decimal
from itertools import chain
from typing import Any, TypeGuard

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from m2trec_merlin.arrays import Array, filled_entries, known_entries, offsets_of
from m2trec_merlin.errors import DataError
from m2trec_merlin.spelling import spell, with_point

#: Patterns of the words that programs write for a missing value, and that spreadsheets write for an error.
_NONE = r"null|nan|none|nil|na|n/a|n\.a\.|k\. ?a\.|keine angabe"
_MISTAKE = r"n/?a|nv|ref!|bezug!|value!|wert!|name\?|num!|zahl!|div/0!|null!"
#: What is a value where a column says whether something is there, but hardly anybody's name.
_NOT_THERE = "not (set|available|provided)"
_IN_BRACKETS = rf"[(\[<]({_NONE}|{_NOT_THERE}|blank|empty|leer)[)\]>]"
_MISSING_WORD = rf"{_NONE}|undefined|nat|\\n|-+|\?+|{_IN_BRACKETS}|#({_MISTAKE})"
_NO_NAME = rf"{_MISSING_WORD}|{_NOT_THERE}|unknown|unbekannt"


def to_arrow(series: pd.Series) -> pa.Array:
    """Return a column as an Arrow array; NaN and None are null.

    Raises:
        pa.ArrowException: the values are of incompatible types, such as numbers and lists or truth values, or
            whole numbers exceed 64 bits.
    """
    try:
        array = pa.array(series, from_pandas=True)
    except OverflowError as error:
        raise pa.ArrowInvalid(str(error)) from None  # whole numbers beyond 64 bits
    if series.dtype == object and not _are_compatible(series, array.type):
        raise pa.ArrowInvalid("values of incompatible types")
    array = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
    return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array


def _are_compatible(values: pd.Series, kind: pa.DataType) -> bool:
    """Tell whether Arrow, which found a type, left values as they are; numbers may become those of another.

    It refuses [True, 1.5], but reads [1.5, True] as [1.5, 1.0]: a value would depend on those before it.
    """
    if not pa.types.is_primitive(kind.value_type if is_list(kind) else kind):
        return True
    known = values.dropna()
    if is_list(kind):
        # An array of NumPy has one type, so its first value stands for all.
        parts = (each if _holds_objects(each) else each[:1] for each in known)
        known = pd.Series(list(chain.from_iterable(parts)), dtype=object).dropna()
    is_mixed = pd.api.types.infer_dtype(known, skipna=False) in ("mixed", "mixed-integer")
    return not is_mixed or all(map(is_number, known))


def _holds_objects(values: Sized) -> bool:
    return not isinstance(values, np.ndarray) or values.dtype.hasobject


def is_list(kind: pa.DataType) -> bool:
    """Tell whether an Arrow type is a list type, of fixed or varying length."""
    return pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)


def as_text(series: pd.Series) -> pa.Array:
    """Return a column of any type as trimmed strings; equal values give equal strings whatever their types.

    A whole number is written without a fraction even if missing values turned its column into floats.
    Empty strings are missing.

    Raises:
        DataError: a value is a list or another structure.
    """
    try:
        text = _text(to_arrow(series))
    except pa.ArrowException:
        # Values of several types, which requests may mix.
        text = pa.array([_text_of_one(value, str(series.name)) for value in series], pa.string())
    text = pc.utf8_trim_whitespace(text.cast(pa.string()))
    return pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)


def of_one_type(series: pd.Series) -> pd.Series:
    """Return a column that a file can hold: values of several types become texts, or lists of texts."""
    try:
        kind = to_arrow(series).type
    except pa.ArrowException:
        kind = pa.null()
    if not pa.types.is_null(kind):
        return series
    if not any(isinstance(value, list | np.ndarray) for value in series):
        return as_text(series).to_pandas().set_axis(series.index).astype(object)
    # list() would split a text into letters.
    lists = series.map(lambda value: [value] if isinstance(value, str) else list(value), na_action="ignore")
    return lists.map(lambda value: as_text(pd.Series(value, dtype=object)).to_pylist(), na_action="ignore")


def are_missing_words(texts: pa.Array, are_ids: bool = False) -> np.ndarray:
    """Tell which texts are words that programs write for a missing value; they may be names, too.

    Args:
        texts: texts, null where missing.
        are_ids: whether the texts are ids. Some words, such as "unknown", are usual values of other columns.
    """
    # A suffix that begins with @ may have been appended to the word.
    pattern = rf"(?i)^\s*({_NO_NAME if are_ids else _MISSING_WORD})\s*(@.*)?$"
    return pc.fill_null(pc.match_substring_regex(texts, pattern), False).to_numpy(zero_copy_only=False)


def as_category(series: pd.Series) -> pa.Array:
    """Return a column of any type as the normalised texts of categories; see `spelling`.

    Raises:
        DataError: a value is a list or another structure.
    """
    return _spelled(as_text(series))


def categories_of(texts: Sequence[str]) -> pa.Array:
    """Return texts that a setting names as `as_category` returns those of a column."""
    return as_category(pd.Series(texts, dtype=object))


def are_among(categories: pa.Array, wanted: pa.Array) -> np.ndarray:
    """Tell which categories of a column are wanted, bool; missing ones are not."""
    found: np.ndarray = pc.is_in(categories, value_set=wanted).to_numpy(zero_copy_only=False)
    return found


def count_texts(texts: pa.Array) -> dict[str, int]:
    """Return how often each text occurs; missing ones are not counted."""
    return {each["values"]: each["counts"] for each in pc.value_counts(texts.drop_null()).to_pylist()}


def _spelled(texts: pa.Array) -> pa.Array:
    distinct = texts.dictionary_encode()
    spelled = pa.array([spell(text) or None for text in distinct.dictionary.to_pylist()], pa.string())
    return spelled.take(distinct.indices)


def _text_of_one(value: Any, name: str) -> str | None:
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return str(value).lower()  # of any size; True is true
    try:
        return _text(to_arrow(pd.Series([value], dtype=object)))[0].as_py()
    except pa.ArrowException:
        raise DataError(
            f"column '{name}'", [f"expected single values, found {reprlib.repr(value)}"]
        ) from None


def _text(array: pa.Array) -> pa.Array:
    if not pa.types.is_floating(array.type):
        return array.cast(pa.string())
    exact = pc.and_(pc.equal(array, pc.floor(array)), pc.less(pc.abs(array), 2.0**53))
    whole = pc.if_else(exact, array, 0.0).cast(pa.int64()).cast(pa.string())
    return pc.if_else(exact, whole, array.cast(pa.string()))


def split_values(series: pd.Series, separator: str, longest: int) -> pa.ListArray:
    """Return a column with several categories per row as lists of texts.

    Args:
        series: lists, strings of separated values, or both.
        separator: separator of the values in a string.
        longest: maximum number of values kept of a row, the first ones.
    """
    texts, parents = split_texts(series, separator)
    return gather_lists(_spelled(texts), parents, len(series), longest)


def split_texts(series: pd.Series, separator: str) -> tuple[pa.Array, np.ndarray]:
    """Return the texts of all categories as they are written, and the row of each; see `split_values`."""
    try:
        lists = to_arrow(series)
    except pa.ArrowException:
        # Requests may mix lists and strings in one column, or types in one list.
        lists = pa.array([_split_one(value, separator) for value in series], pa.list_(pa.string()))
    if not is_list(lists.type):
        lists = pc.split_pattern(as_text(series), separator)
    texts = as_text(lists.flatten().to_pandas(integer_object_nulls=True).rename(series.name))
    return texts, pc.list_parent_indices(lists).to_numpy(zero_copy_only=False)


def _split_one(value: object, separator: str) -> list[str | None]:
    if isinstance(value, list | tuple | np.ndarray):
        return as_text(pd.Series(list(value), dtype=object)).to_pylist()
    text = as_text(pd.Series([value], dtype=object)).to_pylist()[0]
    return [None] if text is None else text.split(separator)


def numbers(series: pd.Series, minimum: float | None = None, decimal: str = ".") -> pa.Array:
    """Return a column as float64; null for values that are not numbers, below `minimum` or beyond float32."""
    values = as_doubles(series, decimal)
    usable = fit_float32(values)
    if minimum is not None:
        usable &= values >= minimum
    return pa.array(values, mask=~usable)


def as_doubles(series: pd.Series, decimal: str = ".") -> np.ndarray:
    """Return numbers, and texts of numbers, as float64; NaN for everything else.

    Truth values, dates, times and durations do not count as numbers, although NumPy could convert them.

    Args:
        series: a column of any type.
        decimal: decimal separator in texts; with ",", points separate thousands.
    """
    if decimal == ",":
        series = series.map(lambda value: with_point(value) if isinstance(value, str) else value)
    kind = series.dtype
    if kind == np.float32:
        # The decimal number as written, 7.1, not the nearest float32, 7.0999999.
        return pa.array(series).cast(pa.string()).cast(pa.float64()).to_numpy(zero_copy_only=False)
    is_number = pd.api.types.is_numeric_dtype(kind) and not pd.api.types.is_bool_dtype(kind)
    if not is_number and pd.api.types.infer_dtype(series, skipna=True) != "string":
        return np.array([_as_double(value) for value in series], np.float64)
    found = pd.to_numeric(series, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    return found if is_number else _rounded_rightly(series, found)


def _rounded_rightly(texts: pd.Series, found: np.ndarray) -> np.ndarray:
    """Return correctly rounded numbers of texts; pandas is off by a bit where there are many digits."""
    known = np.isfinite(found)
    written = to_arrow(texts).cast(pa.string()).filter(pa.array(known))
    try:
        exact = pc.utf8_trim_whitespace(written).cast(pa.float64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:
        exact = np.array([float(text) for text in written.to_pylist()])
    result = found.copy()
    result[known] = exact
    return result


def is_number(value: object) -> TypeGuard[int | float | Decimal | np.number]:
    """Tell whether a value is of a number type; truth values, dates and texts are not."""
    return isinstance(value, int | float | Decimal | np.number) and not isinstance(value, bool | np.bool_)


def _as_double(value: object) -> float:
    if isinstance(value, str):
        found = float(pd.to_numeric(value, errors="coerce"))
        return float(value) if np.isfinite(found) else found
    try:
        return float(value) if is_number(value) else np.nan
    except (OverflowError, ValueError):
        return np.nan


def fit_float32(values: Array, xp: Any = np) -> Array:
    """Tell which numbers are finite as float32, the type in which the model computes."""
    with np.errstate(over="ignore"):
        return xp.isfinite(values.astype(np.float32))


def vectors(series: pd.Series, size: int) -> pa.ListArray:
    """Return lists of `size` float32 values: zeros for a missing list, zero for an entry that is not finite.

    Raises:
        DataError: a value is neither missing nor a list of `size` numbers.
    """
    array = _checked_vectors(series, size)
    matrix = np.zeros((len(array), size), dtype=np.float32)
    if is_list(array.type):
        flat = array.flatten().cast(pa.float32()).to_numpy(zero_copy_only=False)
        matrix[array.is_valid().to_numpy(zero_copy_only=False)] = flat.reshape(-1, size)
    matrix[~np.isfinite(matrix)] = 0
    return lists_of_size(matrix)


def _checked_vectors(series: pd.Series, size: int) -> pa.Array:
    source = f"attribute '{series.name}'"
    try:
        array = to_arrow(series)
        if array.null_count == len(array):
            return array
        if not is_list(array.type):
            raise DataError(source, [f"expected lists of {size} numbers, found {array.type}"])
        array.flatten().cast(pa.float32())
    except pa.ArrowException as error:
        raise DataError(source, [f"expected lists of {size} numbers: {error}"]) from None
    lengths = pc.fill_null(pc.list_value_length(array), size).to_numpy(zero_copy_only=False)
    wrong = np.flatnonzero(lengths != size)
    if len(wrong):
        first = f"first: row {wrong[0]}, size {lengths[wrong[0]]}"
        raise DataError(source, [f"{len(wrong)} vectors are not of size {size}; {first}"])
    return array


def lists_of_size(matrix: np.ndarray) -> pa.ListArray:
    """Return the rows of a matrix [n, size] as lists."""
    n, size = matrix.shape
    offsets = list_offsets(np.full(n, size))
    return pa.ListArray.from_arrays(offsets, pa.array(matrix.reshape(-1)))


def gather_lists(
    values: pa.Array, parents: np.ndarray, rows: int, longest: int | None = None
) -> pa.ListArray:
    """Collect values into lists, without nulls.

    Args:
        values: values of all lists, concatenated.
        parents: number of each value's list, in rising order.
        rows: number of lists.
        longest: maximum number of values kept of a list, the first ones; None for no limit.
    """
    known = values.is_valid().to_numpy(zero_copy_only=False)
    kept, counts = known_entries(known, parents, rows, longest)
    return pa.ListArray.from_arrays(list_offsets(counts), values.take(pa.array(kept)))


def without_nulls(lists: pa.Array) -> pa.ListArray:
    """Return lists without their null entries; a null list is empty."""
    parents = pc.list_parent_indices(lists).to_numpy(zero_copy_only=False)
    return gather_lists(lists.flatten(), parents, len(lists))


def without_repeats(lists: pa.ListArray) -> pa.ListArray:
    """Return lists with the first of equal entries only, without nulls."""
    parents = pc.list_parent_indices(lists).to_numpy(zero_copy_only=False)
    values = lists.flatten()
    entries = pd.DataFrame({"list": parents, "value": values.dictionary_encode().indices.to_pandas()})
    first = pc.if_else(pa.array(~entries.duplicated()), values, pa.scalar(None, values.type))
    return gather_lists(first, parents, len(lists))


def fill_empty(lists: pa.ListArray, value: Any) -> pa.ListArray:
    """Replace empty and null lists by a list of one value."""
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
    source, filled = filled_entries(lengths)
    values = lists.flatten()
    # `filled_entries` points empty lists to the entry after all values.
    extended = pa.concat_arrays([values, pa.array([value], values.type)])
    return pa.ListArray.from_arrays(list_offsets(filled), extended.take(pa.array(source)))


def list_offsets(lengths: np.ndarray) -> pa.Array:
    """Return the offsets of lists as Arrow has them, int32."""
    return pa.array(offsets_of(lengths), pa.int32())
