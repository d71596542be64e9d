"""Parse the numbers that order events exactly, whatever their type; each value is parsed by itself.

Floats distinguish whole numbers only up to 2^53; event numbers and times in nanoseconds can be greater.
"""

from __future__ import annotations

import re
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from m2trec_merlin.columns import is_number, to_arrow
from m2trec_merlin.readers.files.raw_types import to_pandas

#: Different numbers in texts of at most so many characters stay different as floats.
_EXACT_AS_FLOAT = 15
#: The most digits of a number; longer ones count or measure nothing.
_LONGEST = 40

_WHOLE = r"^[+-]?\d{1,19}(\.0*)?$"
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,6})?")


def parse_positions(values: pd.Series) -> pd.Series:
    """Parse positions of events as numbers that compare exactly.

    Returns:
        Numbers in the type of the column; for texts, int64 or float64 if that is exact. Otherwise objects:
        whole numbers as int, others as Decimal. Null where there is no finite number.
    """
    kind = values.dtype
    if pd.api.types.is_numeric_dtype(kind) and not pd.api.types.is_bool_dtype(kind):
        if not pd.api.types.is_float_dtype(kind):
            return values
        return values.where(np.isfinite(values.to_numpy(np.float64, na_value=np.nan)))
    if pd.api.types.infer_dtype(values, skipna=True) == "string":
        texts = pc.ascii_trim_whitespace(to_arrow(values).cast(pa.string()))
        if (numbers := _machine_numbers(texts)) is not None:
            return numbers.set_axis(values.index)
    return pd.Series([_exact(value) for value in values], values.index, dtype=object)


def parse_whole_numbers(values: pd.Series) -> pd.Series:
    """Parse whole numbers exactly; null for anything else. See `parse_positions` for the types."""
    numbers = parse_positions(values)
    if numbers.dtype == object:
        return numbers.where(numbers.map(lambda number: isinstance(number, int)))
    return numbers.where(numbers % 1 == 0)


def order_keys(positions: pd.Series) -> np.ndarray:
    """Return sort keys for positions without nulls, which NumPy compares exactly."""
    if positions.dtype == object:
        return np.unique(positions.to_numpy(), return_inverse=True)[1]
    return np.asarray(positions, positions.dtype.type)


def _machine_numbers(texts: pa.Array) -> pd.Series | None:
    """Return texts of numbers as int64 or float64 if that is exact, else None."""
    if pc.all(pc.match_substring_regex(texts, _WHOLE)).as_py():
        try:
            whole = pc.replace_substring_regex(texts, r"^\+|\.0*$", "").cast(pa.int64())
            return to_pandas(whole)
        except pa.ArrowInvalid:
            return None
    if (pc.max(pc.utf8_length(texts)).as_py() or 0) > _EXACT_AS_FLOAT:
        return None
    numbers = pd.to_numeric(texts.to_pandas(), errors="coerce").astype(np.float64)
    return numbers.where(np.isfinite(numbers))


def _exact(value: object) -> int | Decimal | None:
    if isinstance(value, str):
        text = value.strip(" \t\n\v\f\r")
        number = Decimal(text) if _NUMBER.fullmatch(text) else None
    elif is_number(value):
        number = Decimal(value.item() if isinstance(value, np.number) else value)
    else:
        number = None
    if number is None or not number.is_finite() or number.adjusted() >= _LONGEST:
        return None
    return int(number) if number == number.to_integral_value() else number
