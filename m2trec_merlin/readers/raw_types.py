"""Columns of files as the types that the rest of the product knows, the same in all files of a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from m2trec_merlin.columns import as_text, is_list

#: Brings an array of one of the files to the type that all have.
Convert = Callable[[pa.Array], pa.Array]

_TYPES = pa.types
# Whole numbers with gaps must not become floats: an id above 2^53 would change.
_PANDAS = {
    **{t: pd.Int64Dtype() for t in (pa.int8(), pa.int16(), pa.int32(), pa.int64())},
    **{t: pd.Int64Dtype() for t in (pa.uint8(), pa.uint16(), pa.uint32())},
    pa.uint64(): pd.UInt64Dtype(),
}


class NotTextError(ValueError):
    """Bytes are not UTF-8.

    Attributes:
        row: of the first such value in its array.
        value: it.
    """

    def __init__(self, row: int, value: object) -> None:
        super().__init__(row, value)
        self.row, self.value = row, value


def plain_type(kind: pa.DataType) -> pa.DataType:
    """Return the type in which a column is read: bytes as text, categories as their values.

    Raises:
        TypeError: it holds structures, which no kind of attribute reads.
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
    if _TYPES.is_nested(kind) or _TYPES.is_interval(kind):
        raise TypeError(str(kind))
    return kind


def conversion(kinds: Sequence[pa.DataType]) -> Convert | None:
    """Return what brings a column of several files to one type; None where that would be guessing.

    Where one file holds numbers and another text, all is text, a whole number without a fraction even if gaps
    made it a float. Where one holds whole numbers and another floats, floats that are whole become whole
    numbers, so that digits survive.

    Raises:
        TypeError: see `plain_type`.
    """
    plain = {plain_type(kind) for kind in kinds} - {pa.null()}
    if len(plain) <= 1:
        target = plain.pop() if plain else pa.null()
        return lambda array: _cast(array, target)
    if all(map(is_list, plain)):
        return _conversion_of_lists({kind.value_type for kind in plain})
    if any(map(is_list, plain)):
        return None
    if all(_TYPES.is_temporal(kind) and not _TYPES.is_duration(kind) for kind in plain):
        zones = {_TYPES.is_timestamp(kind) and kind.tz is not None for kind in plain}
        target = pa.timestamp("us", "UTC" if zones == {True} else None)
        return None if len(zones) > 1 else lambda array: _cast(array, target)
    if all(map(_is_number, plain)):
        return _as_numbers
    return _as_text


def to_pandas(array: pa.Array) -> pd.Series:
    """Return a column as pandas holds it: whole numbers as Int64 or UInt64, text as objects."""
    return array.to_pandas(types_mapper=_PANDAS.get)


def _conversion_of_lists(values: set[pa.DataType]) -> Convert:
    values = values - {pa.null()}
    numbers = all(_TYPES.is_integer(v) or _TYPES.is_floating(v) for v in values)
    target = pa.list_(values.pop() if len(values) == 1 else pa.float64() if numbers else pa.string())
    return lambda array: _cast(array, target)


def _as_text(array: pa.Array) -> pa.Array:
    held = pd.arrays.ArrowExtensionArray(_cast(array))  # type: ignore[attr-defined]  # unknown to the stubs
    return as_text(pd.Series(held))


def _as_numbers(array: pa.Array) -> pa.Array:
    array = _cast(array)
    if _TYPES.is_floating(array.type):
        array = pc.if_else(pc.is_nan(array), None, array)
    try:
        return array.cast(pa.int64())
    except pa.ArrowInvalid:
        return array.cast(pa.float64())


def _cast(array: pa.Array, target: pa.DataType | None = None) -> pa.Array:
    if isinstance(array.type, pa.BaseExtensionType):
        array = array.storage
    target = plain_type(array.type) if target is None else target
    if array.type == target:
        return array
    try:
        # Times lose what is finer than a microsecond.
        return array.cast(target, safe=not _TYPES.is_timestamp(target))
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
