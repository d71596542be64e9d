"""Convert columns of files to types that the product knows, the same in all files of a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from m2trec_merlin.arrays import widen_halves
from m2trec_merlin.columns import as_text, is_list
from m2trec_merlin.readers.canonical import has_fractions

#: A function that converts an array of one file to the common type of all files.
Convert = Callable[[pa.Array], pd.Series]

_TYPES = pa.types
# Whole numbers with gaps must not become floats: an id above 2^53 would change.
_PANDAS = {
    **{t: pd.Int64Dtype() for t in (pa.int8(), pa.int16(), pa.int32(), pa.int64())},
    **{t: pd.Int64Dtype() for t in (pa.uint8(), pa.uint16(), pa.uint32())},
    pa.uint64(): pd.UInt64Dtype(),
}
#: The years between these can be held as nanoseconds in 64 bits.
_FIRST_YEAR, _LAST_YEAR = 1677, 2262


class NotTextError(ValueError):
    """Bytes that are not UTF-8.

    Attributes:
        row: index of the first such value in its array.
        value: the value.
    """

    def __init__(self, row: int, value: object) -> None:
        super().__init__(row, value)
        self.row, self.value = row, value


def plain_type(kind: pa.DataType) -> pa.DataType:
    """Return the type in which a column is read: bytes as text, categories as their values.

    Raises:
        TypeError: the column holds structures, which no kind of attribute reads, or durations, whose texts
            would depend on the unit of the file.
    """
    if isinstance(kind, pa.BaseExtensionType):
        return plain_type(kind.storage_type)
    if _TYPES.is_dictionary(kind) or _TYPES.is_run_end_encoded(kind):
        return plain_type(kind.value_type)
    if _is_text(kind):
        return pa.string()
    if _TYPES.is_float16(kind):
        return pa.float32()
    if is_list(kind):
        value = plain_type(kind.value_type)
        if is_list(value):
            raise TypeError("lists of lists")
        return kind if value == kind.value_type else pa.list_(value)
    if _TYPES.is_nested(kind) or _TYPES.is_interval(kind) or _TYPES.is_duration(kind):
        raise TypeError(str(kind))
    return kind


def conversion(kinds: Sequence[pa.DataType]) -> Convert | None:
    """Return a function that converts a column of several files to one type; None if that would be guessing.

    If one file holds numbers and another text, whole numbers become text, without a fraction even if gaps
    made them floats. Other numbers stay numbers, because with decimal commas the text 1.299 is 1299. If files
    hold numbers of several types, whole ones become integers; a block with other numbers becomes objects, so
    that no digit is lost. Times get the finest unit; times that it cannot hold are missing.

    Raises:
        TypeError: see `plain_type`.
    """
    plain = {plain_type(kind) for kind in kinds} - {pa.null()}
    if len(plain) <= 1:
        target = plain.pop() if plain else pa.null()
        return lambda array: to_pandas(_cast(array, target))
    if all(map(is_list, plain)):
        return _conversion_of_lists({kind.value_type for kind in plain})
    if any(map(is_list, plain)):
        return None
    if all(_TYPES.is_timestamp(kind) or _TYPES.is_date(kind) for kind in plain):
        zones = {_TYPES.is_timestamp(kind) and kind.tz is not None for kind in plain}
        unit = "ns" if any(_TYPES.is_timestamp(kind) and kind.unit == "ns" for kind in plain) else "us"
        target = pa.timestamp(unit, "UTC" if zones == {True} else None)
        return None if len(zones) > 1 else lambda array: to_pandas(_as_times(_cast(array), target))
    if all(map(_is_number, plain)):
        return _as_numbers if all(map(_TYPES.is_floating, plain)) else _as_exact_numbers
    return _as_text


def to_pandas(array: pa.Array) -> pd.Series:
    """Return a pandas column: whole numbers as Int64 or UInt64, text as objects."""
    # In lists, whole numbers beside missing ones also stay whole.
    return array.to_pandas(types_mapper=_PANDAS.get, integer_object_nulls=True)


def floats_of(array: pa.Array) -> pd.Series | None:
    """Return floats as a file holds them; None for values of another type."""
    if not _TYPES.is_floating(plain_type(array.type)):
        return None
    return to_pandas(array if _TYPES.is_floating(array.type) else _cast(array))


def _conversion_of_lists(values: set[pa.DataType]) -> Convert:
    values = values - {pa.null()}
    if len(values) == 1:
        target = values.pop()
    elif all(map(_TYPES.is_integer, values)):
        target = pa.int64()
    elif all(_TYPES.is_integer(v) or _TYPES.is_floating(v) for v in values):
        return _as_lists_of_numbers
    else:
        target = pa.string()
    return lambda array: to_pandas(_cast(array, pa.list_(target)))


def _as_lists_of_numbers(array: pa.Array) -> pd.Series:
    try:
        return to_pandas(array.cast(pa.list_(pa.float64())))
    except pa.ArrowInvalid:
        return to_pandas(array)  # whole numbers beyond 2^53 keep their digits


def _as_text(array: pa.Array) -> pd.Series:
    array = _cast(array)
    held = pd.arrays.ArrowExtensionArray(array)  # type: ignore[attr-defined]  # unknown to the stubs
    texts = to_pandas(as_text(pd.Series(held)))
    if not (_TYPES.is_floating(array.type) or _TYPES.is_decimal(array.type)):
        return texts
    numbers = pd.Series(
        array.to_pylist() if _TYPES.is_decimal(array.type) else _as_numbers(array), dtype=object
    )
    return texts.where(~has_fractions(numbers), numbers)


def _as_numbers(array: pa.Array) -> pd.Series:
    array = _cast(array)
    if array.type == pa.float32():
        array = array.cast(pa.string())  # by its text, so that 7.1 becomes the double 7.1
    return to_pandas(array.cast(pa.float64()))


def _as_exact_numbers(array: pa.Array) -> pd.Series:
    whole = _cast(array)
    if _TYPES.is_floating(whole.type):
        whole = pc.if_else(pc.is_nan(whole), None, whole)
    try:
        return to_pandas(whole.cast(pa.int64()))
    except pa.ArrowInvalid:
        exact = whole if _TYPES.is_decimal(whole.type) else pa.array(_as_numbers(whole), from_pandas=True)
        return pd.Series(exact.to_pylist(), dtype=object)


def _as_times(array: pa.Array, target: pa.DataType) -> pa.Array:
    try:
        # The target is at least as fine as the times of each file.
        return array.cast(target)
    except pa.ArrowInvalid:
        years = pc.year(array)
        holds = pc.and_(pc.greater(years, _FIRST_YEAR), pc.less(years, _LAST_YEAR))
        return pc.if_else(holds, array, pa.scalar(None, array.type)).cast(target)


def _cast(array: pa.Array, target: pa.DataType | None = None) -> pa.Array:
    if isinstance(array.type, pa.BaseExtensionType):
        array = array.storage
    target = plain_type(array.type) if target is None else target
    if _TYPES.is_float16(array.type):
        # Entries of lists are widened by Arrow: they are vectors, which nobody wrote.
        halves = array.to_numpy(zero_copy_only=False)
        array = pa.array(widen_halves(halves), mask=array.is_null().to_numpy(zero_copy_only=False))
    if array.type == target:
        return array
    try:
        return array.cast(target)
    except pa.ArrowInvalid:
        for row in range(len(array)):
            try:
                array.take(pa.array([row])).cast(target)
            except pa.ArrowInvalid:
                raise NotTextError(row, array[row].as_py()) from None
        raise


def _is_text(kind: pa.DataType) -> bool:
    text = _TYPES.is_string(kind) or _TYPES.is_large_string(kind) or _TYPES.is_string_view(kind)
    some = _TYPES.is_binary(kind) or _TYPES.is_large_binary(kind) or _TYPES.is_binary_view(kind)
    return text or some or _TYPES.is_fixed_size_binary(kind)


def _is_number(kind: pa.DataType) -> bool:
    signed = _TYPES.is_integer(kind) and kind != pa.uint64()
    return signed or _TYPES.is_floating(kind) or _TYPES.is_decimal(kind)
