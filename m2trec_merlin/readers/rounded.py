"""Find numbers that lost digits in the source, so that different ones became equal.

Floats hold whole numbers exactly only up to a limit, and spreadsheets write long ones as 4.00638E+12.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow.compute as pc

from m2trec_merlin.columns import to_arrow

_SHORT_FLOATS = ("float16", "float32")

#: Hints on how to fix rounded ids and rounded positions.
ID_HINT = "decimals and numbers such as 4.00638E+12 stand for several ids: write whole numbers or text"
ORDER_HINT = "rounded, several events have the same one: write all digits, or 64-bit numbers in Parquet"

#: A number with an exponent, as programs write it: always with a sign.
_WITH_EXPONENT = r"^\s*[+-]?[0-9]([.,][0-9]+)?[eE]\+[0-9]+\s*$"
#: A number with an exponent as spreadsheets write it: at most six digits, of twelve or more.
_BY_SPREADSHEET = r"^\s*[+-]?[0-9]([.,][0-9]{1,5})?[eE]\+(1[1-9]|[2-9][0-9])\s*$"


def are_rounded_ids(values: pd.Series) -> np.ndarray:
    """Tell which values cannot be ids because they stand for several whole numbers, bool."""
    if values.dtype == object:
        big = [isinstance(value, float) and abs(value) >= _exact_below(np.float64) for value in values]
        return np.array(big, bool) | _match(values, _WITH_EXPONENT)
    if not pd.api.types.is_float_dtype(values):
        return np.zeros(len(values), dtype=bool)
    return _are_inexact(values)


def are_rounded_positions(values: pd.Series) -> np.ndarray:
    """Tell which positions or times of events a program has rounded to too few digits, bool.

    Doubles pass, because their rounding is finer than any clock.
    """
    if values.dtype == object:
        return _match(values, _BY_SPREADSHEET)
    is_short = str(values.dtype).lower() in _SHORT_FLOATS
    return _are_inexact(values) if is_short else np.zeros(len(values), dtype=bool)


def _are_inexact(floats: pd.Series) -> np.ndarray:
    kind = np.dtype(str(floats.dtype).lower())
    return np.abs(floats.to_numpy(kind, na_value=0)) >= _exact_below(kind)


def _exact_below(kind: np.dtype | type) -> float:
    """Return the limit below which a type of floats holds every whole number."""
    return 2.0 ** (np.finfo(kind).nmant + 1)


def _match(values: pd.Series, pattern: str) -> np.ndarray:
    if pd.api.types.infer_dtype(values, skipna=True) != "string":
        return np.zeros(len(values), dtype=bool)
    found = pc.match_substring_regex(to_arrow(values), pattern)
    return pc.fill_null(found, False).to_numpy(zero_copy_only=False)
